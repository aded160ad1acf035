"""How language models follow instructions: probes, erasure and ablation on TransformerLens models."""

__version__ = "0.2.0"
