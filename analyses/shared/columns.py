"""What the columns of the tables mean: one description a name, of which docs/columns.md is made.

    python -m if_circuits.analyses.shared.columns STUDY > docs/columns.md

reads off a finished study which of its tables have which columns. A name means the same in every table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from if_circuits.errors import InputError


@dataclass(frozen=True)
class Column:
    """What a column holds."""

    meaning: str
    unit: str = ""
    """Or the range of its values; empty where the meaning says it."""


COLUMNS: Mapping[str, Column] = {
    # Prompts and responses
    "prompt_id": Column("The prompt: task, base query and wording; `/twin` for an unconstrained counterpart"),
    "task": Column("The task whose constraint is meant; of a matrix, the task that is measured"),
    "family": Column("Family of the task", "structural, lexical, semantic, stylistic, or one of your own"),
    "base_query": Column("What to write about; the group of every split, bootstrap and permutation"),
    "grade": Column("How hard the constraint is; empty for a task with one grade"),
    "answer": Column("The response that was generated; unconstrained rows of several tasks share one"),
    "kept": Column("Whether the study asks the grade"),
    "why": Column("What the pilot found of the grade", "follows and fails, at the floor, ..."),
    "moved": Column("Probability that compliance is higher when the constraint is asked for", "0 to 1"),
    "unconstrained": Column("Share of unconstrained responses that satisfy", "0 to 1"),
    "n_unconstrained": Column("Unconstrained responses behind the number"),
    "paraphrase": Column("Number of the constraint's wording", "from 0"),
    "parameters": Column("Arguments of the constraint", "JSON"),
    "constrained": Column(
        "Whether the prompt holds the constraint; of a pilot, share of constrained responses that satisfy"
    ),
    "prompt": Column("The prompt"),
    "response_id": Column("The response: prompt and sample, and the condition where there are several"),
    "sample": Column("Number of the response among those to its prompt", "from 0"),
    "temperature": Column("Temperature of the sampling; 0 is greedy decoding"),
    "response": Column("The response, without its end-of-sequence token"),
    "prompt_tokens": Column("The prompt as the model reads it, then its thinking if any", "token ids"),
    "n_thinking": Column("Length of the thinking before the response, of models that think first", "tokens"),
    "response_tokens": Column("The response, with the end-of-sequence token where it came", "token ids"),
    "n_tokens": Column("Length of the response without end-of-sequence; of damage, its mean", "tokens"),
    "truncated": Column("Whether the response was cut at the greatest length; of damage, the share"),
    "condition": Column("Interventions under which was written: intact, removed, or the kind of control"),
    "verdict": Column(
        "Of a response: satisfied, violated or undecided. Of a claim: supported, or not; or described"
    ),
    "reason": Column("Of a verdict, what it rests on; of a row without numbers, why it has none"),
    "pair": Column("The response that the two counterfactual rows of one text come from"),
    # Where a number was read, and on what
    "labels": Column("Labels that were probed", "natural or counterfactual"),
    "probe": Column("The probe or baseline, such as specialist, general, text, majority"),
    "layer": Column("Residual stream after that block; `never` where none", "-1 is embed"),
    "layers": Column("Layers that the halves chose"),
    "depth": Column("The layer as a share of the model's blocks below it", "0 to 1"),
    "position": Column("Place in the response at which activations were read or exchanged"),
    "fold": Column("Held-out fold", "from 0"),
    "half": Column("Half of the base queries that fitted; the other half measures", "0 or 1"),
    "chosen": Column("Whether the fold reports this layer"),
    "inner_auroc": Column("AUROC within the other folds, on which the layer was chosen", "0 to 1"),
    "n": Column("Responses, or what the row counts, behind the number"),
    "n_base_queries": Column("Base queries behind the interval"),
    "n_queries": Column("Base queries behind the number"),
    "n_tasks": Column("Tasks behind the number"),
    "n_satisfied": Column("Responses that satisfy"),
    "n_violated": Column("Responses that violate"),
    "n_undecided": Column("Responses left out, since the verifier could not decide"),
    "n_train": Column("Training rows of a probe, mean over folds"),
    "n_twins": Column("Unconstrained counterparts behind the number"),
    "n_texts": Column("Neutral texts that were read"),
    "d": Column("Features of the probe"),
    "n_over_d": Column("Training rows over features: below 1 every labelling is separable"),
    "C": Column("Inverse L2 penalty that cross-validation chose, median over folds"),
    "converged": Column("Whether every fold's fit converged"),
    "control": Column("Number of the control task", "from 1"),
    # Numbers that occur in many tables
    "auroc": Column("Held-out area under the ROC curve within folds", "0 to 1, chance 0.5"),
    "auroc_text": Column("The same of a classifier of the words alone", "0 to 1, chance 0.5"),
    "balanced_accuracy": Column("Mean of the two classes' accuracies at the training log-odds", "0 to 1"),
    "effect": Column("The number that the claim is about"),
    "low": Column("Lower end of the interval from resampling base queries"),
    "high": Column("Upper end of the interval from resampling base queries"),
    "p": Column("p-value", "0 to 1"),
    "p_holm": Column("p-value, adjusted by Holm over the tasks", "0 to 1"),
    "p_adjusted": Column("p-value, adjusted by Benjamini and Hochberg over the family of tests", "0 to 1"),
    "notes": Column("Limits of the verdict, and what was left out"),
    # Two judges of the same responses
    "analysis": Column("The analysis whose verdict is repeated on the labels on which two judges agree"),
    "judge": Column("The judge of the study's labels"),
    "second_judge": Column("Another judge, made in another way, asked of the same responses"),
    "both_satisfied": Column("Responses that both judges call satisfied"),
    "both_violated": Column("Responses that both judges call violated"),
    "satisfied_violated": Column("Responses that the judge calls satisfied and the second one violated"),
    "violated_satisfied": Column("Responses that the judge calls violated and the second one satisfied"),
    "second_undecided": Column("Responses that the judge decides and the second one does not"),
    "same_label": Column("Share of responses that the judge decides of which both say the same", "0 to 1"),
    "kappa": Column("Agreement beyond chance, of the responses that both decide", "at most 1"),
    "difference": Column("Difference of the two quantities that are compared"),
    # Specialist against general
    "recurring": Column("AUROC of the task on folds in which base queries recur", "0 to 1"),
    "control_task": Column("Mean AUROC of control tasks: random labels by base query, same folds", "0 to 1"),
    "selectivity": Column("recurring minus control_task"),
    "p_permutation": Column("p-value against labels that base queries exchanged", "0 to 1"),
    # Cross-task transfer
    "train_task": Column("Task that the probe was trained on"),
    "score": Column("What the probe says of the response, out of fold", "log-odds of satisfied"),
    "score_rank": Column("Rank of the score among those of its task and fold", "0 to 1"),
    "token": Column("Number of the response token that was read; 0 is the prompt's last", "from 0"),
    "text_token": Column("The piece of text that the token stands for"),
    "reading": Column("Probability of satisfied that the probe gives there", "0 to 1"),
    "bin": Column("Where readings begin that are counted together", "0 to 1"),
    "share_satisfied": Column("Share of held-out responses with such a reading that satisfy", "0 to 1"),
    "train_family": Column("Family of train_task"),
    "train_place": Column("Place of train_task in the order of the clustering", "from 0"),
    "place": Column("Place of the task in the order of the clustering", "from 0"),
    "within_family": Column("Whether both tasks are of one family"),
    "within": Column("Mean transfer between tasks of one family, AUROC"),
    "between": Column("Mean transfer between tasks of different families, AUROC"),
    # Causal ablation
    "matrix": Column("What was removed and what was measured", "refitted probe, fixed probe, behaviour, ..."),
    "ablated": Column("Task whose subspace was removed; empty for the intact model"),
    "measured": Column("Task whose score was taken"),
    "after": Column("Score after the removal"),
    "excess": Column("Drop beyond that of the stronger control"),
    "control_sd": Column("Standard deviation of the drop over draws of that control"),
    "score_above_floor": Column("Intact score above the value of a task that has lost all"),
    "p_rank": Column("(1 + control draws that do as much damage) / (1 + draws)", "0 to 1"),
    "p_mcnemar": Column("p-value of removal against intact on the same prompts", "0 to 1"),
    "survives": Column("Whether the edge survives the correction"),
    "measurable": Column("Whether both tasks can show a drop"),
    "measurable_tasks": Column("Tasks that can show a drop"),
    "edges": Column("Edges that survive"),
    "share": Column(
        "Of edges: surviving off-diagonal edges. Of specificity: variance in the row space. Of localisation: "
        "mean shift of log-odds over the whole difference between the two prompts",
        "0 to 1; of localisation, any number",
    ),
    "asymmetry": Column("Mean absolute difference of the two directions of connected pairs"),
    "asymmetry_null": Column("The same, expected without any asymmetry"),
    "asymmetry_p": Column("p-value of the asymmetry", "0 to 1"),
    "iteration": Column("Round of INLP", "from 0"),
    "held_out_auroc": Column("AUROC of the round on groups that neither probe nor projection saw", "0 to 1"),
    "stopped": Column("Why INLP ended", "chance, rank limit, no direction left"),
    "rank": Column("Dimensions of the subspace"),
    "method": Column("Erasure method that fitted what was removed"),
    "own_drop": Column("Drop of the ablated tasks themselves, mean"),
    "control_drop": Column("The same under random directions"),
    "layer_ablated": Column("Layer of the removal", "-1 is embed"),
    "layer_probed": Column("Layer at which a new probe was fitted", "-1 is embed"),
    "auroc_intact": Column("AUROC there without the removal", "0 to 1"),
    "auroc_ablated": Column("AUROC there under it: what the model rebuilt", "0 to 1"),
    "drop": Column("auroc_intact minus auroc_ablated"),
    "drop_gaussian": Column("Drop under random subspaces of the same rank"),
    "drop_variance_matched": Column("Drop under random subspaces that remove as much variance"),
    "compliance_off_task": Column("Share satisfied of the other tasks' prompts", "0 to 1"),
    "empty": Column("Share of empty responses", "0 to 1"),
    "undecided": Column("Responses without a verdict: their number, or of damage their share"),
    "repetition": Column("Share of word pairs that repeat an earlier one", "0 to 1"),
    "kl": Column("Divergence from the intact model on neutral text", "nats a token"),
    "p_kl": Column("p-value of that divergence against the controls'", "0 to 1"),
    "perplexity": Column("Perplexity on neutral text"),
    "removed": Column("Drop of compliance beyond control when the task's direction is removed"),
    "added": Column("Gain of compliance beyond random steps when it is added to failing responses"),
    "gain": Column("Gain of compliance when the direction is added", "0 to 1"),
    "gain_random": Column("Gain under random steps of the same length", "0 to 1"),
    "agree": Column("Whether both ways survive, or neither", "0 or 1"),
    # Localisation
    "direction": Column("Whether the constrained prompt receives or its counterpart", "takes, gives"),
    "subspace": Column("What is exchanged; `residual` is the whole residual stream"),
    "dose": Column("How far the interchange goes; 1 is the other run's value"),
    "share_placebo": Column("The share under random displacements of the same length"),
    "full": Column("Difference of log-odds between the two prompts", "nats"),
    "damage": Column("By how much a token of both texts is less likely than in either run", "nats"),
    "way": Column("How a direction was changed", "interchange, removal"),
    "changed": Column("The task whose direction was changed"),
    "stability": Column("Resamples in which the cell exceeds its placebo and the least share", "0 to 1"),
    "beyond_reverse": Column("The share less that of the reverse cell"),
    "beyond_reverse_low": Column("Lower end of its 95 % interval"),
    "beyond_reverse_high": Column("Upper end of its 95 % interval"),
    "one_way": Column("An edge whose reverse is none, with an asymmetry whose interval lies above 0"),
    "cause": Column("Share of its own task that a direction moves, at most 1", "0 to 1"),
    "isolation": Column("1 less the mean share of the other tasks that it moves", "0 to 1"),
    "cause_and_isolation": Column("Mean of the two", "0 to 1"),
    "sentence": Column("What stands at the end of the prompt", "taken back, said twice"),
    "wrong_way": Column("Pairs whose log-odds move away from the other run's", "0 to 1"),
    "cosine_probe": Column("Cosine of the nearest direction to the one that reads", "0 to 1"),
    # Layers, time, similarity, specificity
    "share_of_resamples": Column("Resamples in which the task becomes decodable at all", "0 to 1"),
    "mean_index": Column("Mean absolute place of the position in prompt and response", "tokens"),
    "mean_tokens_read": Column("Mean number of response tokens read at the position", "tokens"),
    "responses": Column("Responses of the task"),
    "survivors": Column("Responses that have the position"),
    "advantage": Column("AUROC of the probe minus that of the text classifier, mean over tasks"),
    "at_start": Column("Advantage over the text classifier at `prompt_end`"),
    "at_end": Column("Advantage over the text classifier at `last`"),
    "growth": Column("at_end minus at_start"),
    "task_a": Column("First task of the pair"),
    "task_b": Column("Second task of the pair"),
    "same_family": Column("Whether both tasks are of one family"),
    "similarity": Column("Squared cosine of the tasks' differences in means over its split-half ceiling"),
    "agreement": Column("Agreement of the direction between halves of the base queries"),
    "cka": Column("Linear CKA beyond its permutation null"),
    "pwcca": Column("Projection-weighted CCA beyond its permutation null"),
    "overlap": Column("Mean squared cosine of the principal angles beyond random subspaces"),
    "smallest_angle": Column("Smallest principal angle of the two subspaces", "degrees"),
    "components": Column("Principal components that were kept"),
    "paired_queries": Column("Base queries that all tasks have"),
    "share_twins": Column("Share of variance in the row space among unconstrained counterparts", "0 to 1"),
    "ratio": Column("share over share_twins"),
    "ratio_gaussian": Column("The same for random subspaces of the same rank"),
    "ratio_variance_matched": Column("The same for random subspaces of as much variance"),
}
"""By name; `_SUFFIXES` describes the companions of a number, such as `removed_low`."""

_SUFFIXES: Mapping[str, Column] = {
    "_p_adjusted": Column("p-value of {}, adjusted by Benjamini and Hochberg", "0 to 1"),
    "_p": Column("p-value of {}", "0 to 1"),
    "_low": Column("Lower end of the interval of {}"),
    "_high": Column("Upper end of the interval of {}"),
    "_ceiling": Column("What {} could reach, given how well each task resembles itself"),
    "_ratio": Column("{} over its ceiling"),
}


def describe(name: str) -> Column:
    """What a column of a table holds.

    Raises:
        InputError: For a name that no table has.

    Example:
        >>> describe("auroc").unit
        '0 to 1, chance 0.5'
        >>> describe("removed_low").meaning
        'Lower end of the interval of removed'
    """
    if name in COLUMNS:
        return COLUMNS[name]
    for suffix, column in _SUFFIXES.items():
        base = name.removesuffix(suffix)
        if base != name and base in COLUMNS:
            return Column(column.meaning.format(base), column.unit)
    raise InputError(f"no table has a column {name!r}; COLUMNS describes those that there are")


def tables_of(study: Path) -> dict[str, list[str]]:
    """The columns of every table of a finished study, by the table's name."""
    import pyarrow.parquet as parquet

    files = [
        study / f"{name}.parquet" for name in ("pilot-responses", "prompts", "responses", "counterfactual")
    ]
    # What compliance holds is said by `compliance_table`.
    results = sorted((study / "results").glob("*.parquet"))
    files += [file for file in results if file.stem != "compliance"]
    return {file.stem: list(parquet.read_schema(file).names) for file in files if file.is_file()}


def page(tables: Mapping[str, Sequence[str]]) -> str:
    """The reference page: one row a column, with the tables that have it."""
    where: dict[str, list[str]] = {}
    for table, names in tables.items():
        for name in names:
            where.setdefault(name, []).append(table)
    lines = [
        "# Columns of the tables",
        "",
        "A name means the same in every table. `results/NAME.parquet` is the `table` of an analysis,",
        "`results/NAME.PART.parquet` one of its further `tables`. What `ifc.probe` gives has columns of",
        "specialist_vs_general.",
        "This page is made by `python -m if_circuits.analyses.shared.columns STUDY ...`.",
        "",
        "| column | meaning | unit or values | tables |",
        "|---|---|---|---|",
    ]
    for name in sorted(where):
        column = describe(name)
        lines.append(f"| `{name}` | {column.meaning} | {column.unit} | {', '.join(where[name])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found: dict[str, list[str]] = {}
    for study in sys.argv[1:]:  # one of each suite, since only the open one has a pilot
        for table, names in tables_of(Path(study)).items():
            found[table] = list(dict.fromkeys([*found.get(table, []), *names]))
    sys.stdout.write(page(found))
