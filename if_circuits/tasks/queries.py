"""Base queries: what to write about. The subject of a base query is the group of every split and
bootstrap.
"""

from __future__ import annotations

from typing import cast

from if_circuits.tasks.judges.base import load_lexicon


def subjects(*, held_out_only: bool) -> tuple[str, ...]:
    """The subjects that prompts are about; only those that the embedded model never wrote about, if asked."""
    lexicon = cast(dict[str, list[str]], load_lexicon("subjects"))
    return tuple(lexicon["held_out"] if held_out_only else sorted(lexicon["open"] + lexicon["held_out"]))
