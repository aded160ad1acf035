"""The nucleus: the likeliest tokens that together have a given probability (Holtzman et al. 2020, top-p)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


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
    likeliest = probabilities.topk(k, dim=-1).values.double()
    before = likeliest.cumsum(-1) - likeliest
    kept = (before < top_p).sum(-1, keepdim=True)
    least = likeliest.gather(-1, kept - 1).to(probabilities.dtype)
    return probabilities.where(probabilities >= least, 0.0)
