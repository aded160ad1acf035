"""Suites of prompts: what to write about, and how hard the constraints are. `get_suite` gives one by name."""
