"""Which tasks depend on which? Subspaces removed in representation and while the model writes."""
