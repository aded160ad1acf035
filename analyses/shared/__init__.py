"""What several questions share: labelled tasks, layer choice, score tables, text baselines, subspaces."""
