"""What wrong labels cost an AUROC: the most that any score can reach against the labels of a judge that errs.

Let a judge give the true label of a positive text with probability `sensitivity` (a) and of a negative one
with `specificity` (b), whatever else the text is like, and let a share p of the texts be truly positive. Of
the texts that the judge calls positive a share v = pa / (pa + (1 - p)(1 - b)) is so; of those that it calls
negative a share w = p(1 - a) / (p(1 - a) + (1 - p)b) is positive all the same. Let a score have the AUROC A
against the truth. Of two texts, one from each side of the judge, the truths differ in the right order with
probability v(1 - w), in the wrong one with w(1 - v), and else tell nothing of the score's order. So against
the judge's labels its AUROC is

    1/2 + (v - w)(A - 1/2)

At A = 1 that is the ceiling, 1/2 + (v - w)/2. It rests on errors that do not depend on what the score sees: a
probe that reads the judge's own mistakes can stand above it.
"""

from __future__ import annotations


def auroc_ceiling(sensitivity: float, specificity: float, *, positives: float) -> float:
    """The AUROC that a perfect score reaches against the judge's labels, `positives` of which are positive.

    `positives` is the share among the judge's labels, which a study knows, and not among the truth. NaN where
    no true share could give so many: outside of [1 - specificity, sensitivity].

    Example:
        >>> auroc_ceiling(1.0, 1.0, positives=0.3)
        1.0
        >>> round(auroc_ceiling(0.9, 0.9, positives=0.5), 3)
        0.9
    """
    share = true_share(sensitivity, specificity, positives=positives)
    if not 0 <= share <= 1 or not 0 < positives < 1:
        return float("nan")
    of_positive = share * sensitivity / positives
    of_negative = share * (1 - sensitivity) / (1 - positives)
    return 0.5 + (of_positive - of_negative) / 2


def true_share(sensitivity: float, specificity: float, *, positives: float) -> float:
    """The true share of positives behind a share `positives` of the judge's labels (Rogan and Gladen 1978).

    NaN for a judge no better than chance. Outside of [0, 1] where no true share would give so many.
    """
    better = sensitivity + specificity - 1
    return (positives + specificity - 1) / better if better > 0 else float("nan")
