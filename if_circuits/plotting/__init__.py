"""One look for every figure, and the order in which matrices are drawn."""
