"""A study's verdicts where there is nothing to find: labels exchanged, or weights as before training."""
