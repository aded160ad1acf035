"""Models: presets, chat templates, loading through TransformerLens, and the names of their layers."""
