"""The next token: the likeliest, or one of the nucleus, the likeliest tokens that together have a given
probability (Holtzman et al. 2020, top-p).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.errors import InputError

_FEW = 128
"""Likeliest tokens that are looked at first: at usual temperatures the nucleus is among them."""


def pick(
    logits: Float[Tensor, "batch vocabulary"],
    temperature: float,
    top_p: float,
    quantile: Float[Tensor, " batch"] | None,
) -> Int[Tensor, " batch"]:
    """The likeliest token of each row at temperature 0 or without a quantile, else the one at the quantile.

    Raises InputError for logits that are not finite.
    """
    best, token = logits.max(-1)
    if not bool(torch.isfinite(best).all()):
        raise InputError(
            f"the model's logits in {logits.dtype} are not finite: its activations overflow; "
            "use dtype float32 or bfloat16"
        )
    if temperature == 0 or quantile is None:
        return token
    return draw(torch.softmax(logits.float() / temperature, dim=-1), top_p, quantile)


def nucleus(
    probabilities: Float[Tensor, "*batch vocabulary"], top_p: float
) -> Float[Tensor, "*batch vocabulary"]:
    """The probabilities of the fewest likeliest tokens that together have at least `top_p`; 0 for all others.

    What is kept has its probability as before, so that a row sums to its mass and not to 1. Tokens as likely
    as the last that is kept are kept as well, so that no order among them decides.
    """
    if top_p >= 1:
        return probabilities
    # Tokens below this have at most half of what may be left out, all of them together: none is needed. It
    # spares the sorting of a whole vocabulary.
    needless = (1 - top_p) / (2 * probabilities.shape[-1])
    k = max(1, int((probabilities >= needless).sum(-1).max()))
    return probabilities.where(probabilities >= _least(probabilities.topk(k).values, top_p), 0.0)


def draw(
    probabilities: Float[Tensor, "batch vocabulary"], top_p: float, quantile: Float[Tensor, " batch"]
) -> Int[Tensor, " batch"]:
    """The token of each row at a quantile of its nucleus, in the order of the vocabulary."""
    if top_p >= 1 or probabilities.shape[-1] <= _FEW:
        return _at(nucleus(probabilities, top_p), quantile)
    values, tokens = probabilities.topk(_FEW)
    # Where the nucleus ends above the last of these, nothing outside belongs to it.
    least = _least(values, top_p)
    ends = (values.double().sum(-1) >= top_p) & (values[:, -1] < least[:, 0])
    drawn = torch.empty_like(tokens[:, 0])
    few = values.where(values >= least, 0.0)[ends]
    ordered, order = tokens[ends].sort(dim=-1)
    place = _at(few.gather(1, order), quantile[ends])
    drawn[ends] = ordered.gather(1, place[:, None]).squeeze(1)
    if not bool(ends.all()):
        drawn[~ends] = _at(nucleus(probabilities[~ends], top_p), quantile[~ends])
    return drawn


def _least(likeliest: Float[Tensor, "*batch k"], top_p: float) -> Float[Tensor, "*batch 1"]:
    """The smallest probability in the nucleus, of the likeliest tokens in falling order."""
    exact = likeliest.double()
    before = exact.cumsum(-1) - exact
    kept = (before < top_p).sum(-1, keepdim=True)
    return likeliest.gather(-1, kept - 1)


def _at(
    shares: Float[Tensor, "batch vocabulary"], quantile: Float[Tensor, " batch"]
) -> Int[Tensor, " batch"]:
    """Where a quantile of each row's total falls."""
    sums = shares.cumsum(-1, dtype=torch.float64)
    # Above the total of shares, not above 1, from which it differs by rounding.
    wanted = (quantile * sums[:, -1])[:, None]
    return torch.searchsorted(sums, wanted, right=True).squeeze(1).clamp(max=shares.shape[1] - 1)
