"""Where in a response activations are read: twelve positions, relative to its length, and their absolute
places.

`prompt_end` is the last prompt token; `10%` ... `90%` are response tokens; `last` is the last response
token before the end-of-sequence token, `eos` is that token itself. The percentages know the final length of
the response, which a model that is still writing does not: report `prefix_lengths` beside them.
"""

POSITIONS: tuple[str, ...] = ("prompt_end", *(f"{percent}%" for percent in range(10, 100, 10)), "last", "eos")
"""All positions, in the order of the sequence."""

ABSENT = -1
"""In place of a length or an index where a response lacks the position."""


def prefix_lengths(n_tokens: int, *, truncated: bool) -> dict[str, int]:
    """How many response tokens have been read at each position, that one included; `ABSENT` where there is
    none.

    `n_tokens` counts response tokens without end-of-sequence. p% is response token number ceil(p / 100 *
    n_tokens), counted from 1. A truncated response has no `eos`; an empty one has only `prompt_end` and,
    unless truncated, `eos`.
    """
    if n_tokens < 0:
        raise ValueError(f"n_tokens counts response tokens and cannot be negative, got {n_tokens}")
    lengths = {"prompt_end": 0}
    for percent in range(10, 100, 10):
        # Whole numbers: 0.7 * 10 is a little more than 7 in floating point, and its ceiling 8.
        lengths[f"{percent}%"] = -(-percent * n_tokens // 100) if n_tokens else ABSENT
    lengths["last"] = n_tokens if n_tokens else ABSENT
    lengths["eos"] = ABSENT if truncated else n_tokens + 1
    return lengths


def token_indices(n_prompt: int, n_tokens: int, *, truncated: bool) -> dict[str, int]:
    """Index of each position in prompt + response (+ end of sequence), from 0; `ABSENT` where there is none.

    `n_prompt` counts the prompt's tokens; `n_tokens` and `truncated` are as in `prefix_lengths`.
    """
    if n_prompt < 1:
        raise ValueError(f"a prompt has at least one token, got n_prompt = {n_prompt}")
    return {
        position: ABSENT if length == ABSENT else n_prompt - 1 + length
        for position, length in prefix_lengths(n_tokens, truncated=truncated).items()
    }
