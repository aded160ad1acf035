"""A verdict as one sentence in plain words, for a reader who has not read the paper."""

from __future__ import annotations

from math import isfinite

from if_circuits.analyses.base import Verdict
from if_circuits.plotting.numbers import format_number

_SENTENCES = {
    "specialist_vs_general": {
        "described": "How much better a probe trained on one task reads that task than one probe trained on "
        "all tasks together. This says nothing about how many mechanisms there are: it came out alike in "
        "models with one and with nine.",
        "inconclusive": "No task's own probe reads it above chance, or too little is there to read.",
    },
    "cross_task_transfer": {
        "supported": "A probe trained on one task is of little use on another: less than half of what it "
        "reads "
        "carries over.",
        "not supported": "A probe trained on one task also reads others: more than half of it carries over.",
        "inconclusive": "The data do not settle how much of one task's probe carries over to others.",
    },
    "causal_ablation": {
        "supported": "Taking away what one task uses harms few other tasks, and the harm seldom goes "
        "both ways.",
        "not supported": "Taking away what one task uses harms most other tasks too.",
        "inconclusive": "The data do not settle how many tasks depend on each other.",
    },
    "layer_stratification": {
        "supported": "Structural constraints can be read in earlier layers, and semantic ones in later "
        "layers.",
        "not supported": "Constraints do not become readable in the order from structural to semantic.",
        "inconclusive": "The data do not settle in which order constraints become readable over the layers.",
    },
    "temporal_dynamics": {
        "supported": "Whether the constraint is met becomes readable while the response is written, "
        "beyond what "
        "its words give away.",
        "not supported": "What can be read beyond the words does not grow while the response is written.",
        "inconclusive": "The data do not settle whether readability beyond the words grows along the "
        "response.",
    },
    "representational_similarity": {
        "supported": "“The constraint is met” points in different directions for different tasks.",
        "not supported": "“The constraint is met” points in much the same direction for different tasks.",
        "inconclusive": "The data do not settle how alike the tasks' directions are.",
    },
    "specificity": {
        "supported": "The directions that a probe uses vary more where a constraint was asked for than "
        "where it "
        "was not.",
        "not supported": "The directions that a probe uses vary no more where a constraint was asked for.",
        "inconclusive": "The data do not settle whether the probes' directions are about constraints at all.",
    },
    "localisation": {
        "supported": "Structural constraints are carried in earlier layers, and semantic ones in later "
        "layers: what is exchanged there changes the answer.",
        "not supported": "Constraints are not carried in the order from structural to semantic.",
        "inconclusive": "The data do not settle in which order the layers come to carry the constraints.",
    },
}
_OTHERS = {
    "supported": "The data support the claim, by the rule below.",
    "not supported": "The data speak against the claim, by the rule below.",
    "inconclusive": "The data do not settle the claim.",
    "described": "The numbers are given, and no verdict is drawn from them.",
}


def sentence(analysis: str, verdict: Verdict) -> str:
    """What the verdict says, and how sure it is, in a few sentences.

    Example:
        >>> from if_circuits.analyses.base import Verdict
        >>> found = Verdict("a claim", "inconclusive", 0.1, (-0.1, 0.3), 0.4, 40, "a rule")
        >>> sentence("specificity", found).startswith("The data do not settle")
        True
    """
    said = {**_OTHERS, **_SENTENCES.get(analysis, {})}[verdict.verdict]
    low, high = verdict.interval
    if not isfinite(verdict.effect):
        missing = f": {verdict.notes[0]}" if verdict.notes else ""
        return f"{said} There is no number to give{missing}. The notes below say more."
    if not (isfinite(low) and isfinite(high)):
        return f"{said} The number is {format_number(verdict.effect)}, without an interval."
    return (
        f"{said} The number is {format_number(verdict.effect)}; its 95 % interval over base queries is "
        f"{format_number(low)} to {format_number(high)}.{_asked_for_more(analysis, verdict)}"
    )


def _asked_for_more(analysis: str, verdict: Verdict) -> str:
    """Why a verdict is inconclusive although its interval leaves out the value that it is judged by."""
    low, high = verdict.interval
    _, mark = EFFECTS.get(analysis, ("", None))
    if verdict.verdict != "inconclusive" or mark is None or low <= mark <= high:
        return ""
    why = f": {verdict.notes[0]}" if verdict.notes else ""
    return f" The interval leaves out {mark:g}, but the rule below asks for more{why}."


EFFECTS = {
    "specialist_vs_general": ("AUROC of specialists minus general", 0.0),
    "cross_task_transfer": ("share of the probe that transfers", 0.5),
    "causal_ablation": ("share of pairs with an edge", 0.5),
    "layer_stratification": ("rank correlation of depth and family", 0.0),
    "localisation": ("rank correlation of depth and family", 0.0),
    "temporal_dynamics": ("growth of AUROC beyond the words", 0.0),
    "representational_similarity": ("squared cosine over its ceiling", 0.5),
    "specificity": ("ratio of variance, over random", 1.0),
}
"""What each effect is, and the value that it is judged against."""
