"""The nine tasks: constrained prompts, their unconstrained twins, and the verifiers that label a response."""
