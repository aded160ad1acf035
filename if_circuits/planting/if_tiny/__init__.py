"""The embedded model if-tiny: the grammar of its controlled English, its corpus, and its training."""
