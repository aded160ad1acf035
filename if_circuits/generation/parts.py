"""Prompts cut into parts that are answered as one unit of work each."""

PART_PROMPTS = 256
"""What an interruption of generation can cost a worker."""


def in_parts(n_prompts: int) -> list[slice]:
    """So many prompts, in order, in parts of PART_PROMPTS and what is left."""
    return [slice(start, min(start + PART_PROMPTS, n_prompts)) for start in range(0, n_prompts, PART_PROMPTS)]
