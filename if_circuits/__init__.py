"""How language models follow instructions: tasks, probes, erasure and ablation studies on TransformerLens models."""

__version__ = "0.1.0"
