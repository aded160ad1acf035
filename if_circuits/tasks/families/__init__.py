"""The study's nine tasks, a module a family."""
