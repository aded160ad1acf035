"""The study on models with a planted mechanism, beside what was planted."""
