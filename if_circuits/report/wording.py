"""What the report says about each analysis: its question, how to read its figure, and what it cannot show."""

from dataclasses import dataclass
from pathlib import Path


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
        "AUROC on base queries that the probe has not seen: a task's own probe (specialist), one for all "
        "tasks with the same total of examples (general) or with all of them, and one that never saw the "
        "task (left out). The grey line reads words, not activations. Counterfactual labels put one text "
        "under a prompt that it satisfies and one that it breaks, so that no word carries them.",
    ),
    "cross_task_transfer": Wording(
        "Cross-task transfer",
        "Does a probe for one task read the satisfaction of another, and do skills of one family share more?",
        "Rows: the task that the probe was trained on. Columns: the task that it was tested on. 0.5 is "
        "chance; the diagonal is the specialist. Everything is measured on base queries that the probe has"
        " not seen. The coloured edges are the families; rows and columns are ordered by clustering on "
        "natural labels, whose tree stands above. Probes of the second matrix are trained and tested on "
        "counterfactual labels.",
    ),
    "causal_ablation": Wording(
        "Causal ablation",
        "Does removing one task's subspace cost other tasks anything, beyond what random subspaces of its "
        "rank cost?",
        "Rows: the task whose subspace was removed. Columns: the task that was measured, on base queries "
        "that fitted nothing. Left: probes refitted after the removal. Right: compliance when hooks at "
        "several layers remove the task's subspace along the response while the model writes: its difference "
        "in means, unless the study names an erasure method. Only the right one "
        "speaks of cause. Below: what own removals cost, what they do to neutral text, whether later "
        "layers can be read again, and whether adding a direction does the reverse of removing it.",
    ),
    "localisation": Wording(
        "Localisation",
        "At which layers and positions does the residual stream carry a constraint, so that changing it "
        "there changes what the model prefers?",
        "Above: the prompt that asks is read with texts that satisfy and violate it, and the whole residual "
        "stream at the prompt's end, at the response or at both is set to that behind the prompt that does "
        "not ask. 1: the model then prefers what it prefers unasked. Once a constraint's effect has reached "
        "these tokens, every later layer carries it. Middle: the same with one direction, fitted on other "
        "base queries; the peak is where one dimension carries most. Below: other subspaces at that layer; "
        "what exchanging one task's direction does to the others; and what a sentence that takes the "
        "constraint back does. "
        "This speaks of cause on these texts, in log-odds and not in answers.",
    ),
    "layer_stratification": Wording(
        "Layer stratification",
        "At which layer does each task become decodable, and do structural tasks come before semantic ones?",
        "Above: AUROC by layer at the last response token, family by family, on both kinds of labels. "
        "Below: the depth at which a task emerges, with its interval over base queries. A task that is "
        "readable at no layer has no depth and says nothing"
        " about order.",
    ),
    "temporal_dynamics": Wording(
        "Temporal dynamics",
        "Is satisfaction readable before the response starts (planning), or does it grow along it "
        "(monitoring), beyond what the words so far give away?",
        "AUROC of the probe and of a classifier of the words of the same prefix, along the response. "
        "Relative positions know the final length, which no reader of a prefix does, so the same means "
        "stand over the mean number of tokens read; responses too short to have a position leave it. "
        "It is a matter of timing in what can "
        "be decoded, not of what the model does with it. Counterfactual labels are at chance at "
        "`prompt_end` by design, since the text that decides them is still to come.",
    ),
    "representational_similarity": Wording(
        "Representational similarity",
        "Do tasks represent that their constraint is satisfied alike?",
        "The verdict rests on the directions from violated to satisfied, over the ceiling that two halves "
        "of the base queries of one task set; grey cells are tasks whose halves do not agree. PWCCA and CKA "
        "are debiased, so 0 is no similarity, and marked where they exceed a permutation null. They compare "
        "how base queries are arranged, which tasks over the same base queries share by design: they stand "
        "beside it as a description.",
    ),
    "specificity": Wording(
        "Specificity",
        "Do a task's probe directions vary more in constrained responses than in their unconstrained twins?",
        "Left: share of variance in the task's row space, among constrained responses and among their "
        "twins. Right: the ratio of the two, over that of random subspaces of the same rank; 1 is no "
        "difference. Measured on base queries that did not fit the row space.",
    ),
}


def wording(analysis: str) -> Wording:
    """The words for an analysis; its bare name for one that is not among them."""
    return WORDINGS.get(analysis, Wording(analysis.replace("_", " "), "", ""))


def model_title(model: str) -> str:
    """A model's name; of a directory only its own name."""
    return Path(model).name if model.startswith(("/", ".", "~")) else model
