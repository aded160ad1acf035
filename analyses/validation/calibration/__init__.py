"""Error rates and power of every analysis on simulated studies."""
