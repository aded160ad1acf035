"""Linear probes on activations: solvers, folds, held-out evaluation, baselines and controls."""
