"""Studies with a planted answer, made without a model."""
