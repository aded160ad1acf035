"""What the report says about each analysis: its question, how to read its figure, and what it cannot show."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """The words around one analysis's figure and table."""

    title: str
    question: str
    reading: str
    """How to read the figure; the report adds n."""


WORDINGS = {
    "specialist_vs_general": Wording(
        "Specialist against general probes",
        "Does a probe trained for one task read its satisfaction better than one for all tasks?",
        "Held-out AUROC of a task's own probe, of one probe for all tasks with the same total of examples,"
        " and of the leave-one-out probe that never saw the task. The same folds, grouped by base query, "
        "serve all of them.",
    ),
    "cross_task_transfer": Wording(
        "Cross-task transfer",
        "Does a probe for one task read the satisfaction of another, and do skills of one family share more?",
        "Rows: the task that the probe was trained on. Columns: the task that it was tested on. 0.5 is "
        "chance; the diagonal is the specialist on held-out base queries.",
    ),
    "causal_ablation": Wording(
        "Causal ablation",
        "Does removing one task's subspace cost other tasks anything, beyond what random subspaces of its "
        "rank cost?",
        "Rows: the task whose subspace was removed. Columns: the task that was measured. Only the matrix "
        "in behaviour, where a hook removes the subspace while the model generates, speaks of cause.",
    ),
    "layer_stratification": Wording(
        "Layer stratification",
        "At which layer does each task become decodable, and do structural tasks come before semantic ones?",
        "Held-out AUROC by layer, and the layer of emergence with its bootstrap interval. A task that "
        "never becomes decodable has no layer of emergence and says nothing about order.",
    ),
    "temporal_dynamics": Wording(
        "Temporal dynamics",
        "Is satisfaction already readable before the response starts (planning), or does it grow along it "
        "(monitoring), beyond what the text so far gives away?",
        "Held-out AUROC of the probe and of a classifier of the text so far, along the response. Relative "
        "positions know the final length, which no reader of a prefix does.",
    ),
    "representational_similarity": Wording(
        "Representational similarity",
        "How much of their representation do two tasks share, out of what one task shares with itself?",
        "Similarities between tasks over rows paired by base query, less their permutation null, over the "
        "ceiling that two halves of one task set.",
    ),
    "specificity": Wording(
        "Specificity",
        "Do the rows of a task's probe hold more of the constrained activations than of their "
        "unconstrained twins'?",
        "Share of variance in the task's row space, constrained over unconstrained, against random "
        "subspaces of the same rank. 1 is no difference.",
    ),
}


def wording(analysis: str) -> Wording:
    """The words for an analysis; its bare name for one that is not among the seven."""
    return WORDINGS.get(analysis, Wording(analysis.replace("_", " "), "", ""))
