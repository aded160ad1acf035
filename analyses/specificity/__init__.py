"""Is a task's row space about its constraint? Constrained against unconstrained activations in it."""
