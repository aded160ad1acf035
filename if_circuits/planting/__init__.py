"""Models with a planted mechanism, by interchange training; `if_tiny` trains the model they begin from."""
