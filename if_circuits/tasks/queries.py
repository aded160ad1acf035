"""Base queries: what to write about. The subject of a base query is the group of every split and
bootstrap.
"""

from __future__ import annotations

from random import Random
from typing import cast

from if_circuits.errors import InputError
from if_circuits.tasks.judges.base import load_lexicon


def subjects(*, held_out_only: bool) -> tuple[str, ...]:
    """The subjects that prompts are about; only those that the embedded model never wrote about, if asked."""
    lexicon = cast(dict[str, list[str]], load_lexicon("subjects"))
    return tuple(lexicon["held_out"] if held_out_only else sorted(lexicon["open"] + lexicon["held_out"]))


def draw_subjects(n_base_queries: int, *, seed: int, held_out_only: bool) -> tuple[str, ...]:
    """A seeded sample of subjects without replacement.

    Raises InputError if more are asked for than there are.
    """
    available = subjects(held_out_only=held_out_only)
    if not 1 <= n_base_queries <= len(available):
        raise InputError(
            f"{n_base_queries} base queries asked for; between 1 and {len(available)} can be had"
        )
    return tuple(Random(f"subjects:{seed}").sample(available, n_base_queries))
