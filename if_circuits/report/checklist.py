"""What a reviewer of a probing study checks, answered from one study's own tables and configuration.

Thirteen items, each a question and what this study has to say to it. An answer holds numbers of the study; a
part for which the study has no table says "not done in this study" and why. Tables are read by the names of
their columns, so that an analysis that was left out, or an older study, gives a shorter answer and no error.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from if_circuits.analyses.shared.text_baselines import BASELINES
from if_circuits.generation.sampling import sampled
from if_circuits.models.layers import layer_label
from if_circuits.plotting.style import task_label
from if_circuits.report import removals
from if_circuits.report.facts import NOT_DONE, StudyFacts
from if_circuits.report.nothing_to_find import null_sentences

_BH = dict.fromkeys(("p_adjusted", "pwcca_p_adjusted", "cka_p_adjusted"), "Benjamini-Hochberg")
_CORRECTIONS = _BH | {"p_holm": "Holm"}


@dataclass(frozen=True)
class ChecklistItem:
    """One item of the list."""

    question: str
    sentences: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether no part of it was left undone."""
        return not any(NOT_DONE in sentence for sentence in self.sentences)


def checklist(facts: StudyFacts) -> tuple[ChecklistItem, ...]:
    """All items in the order of the method."""
    return tuple(ChecklistItem(question, tuple(answer(facts))) for question, answer in _ITEMS)


def _against_dimensions(facts: StudyFacts) -> Iterator[str]:
    found = [table for _, table in facts.tables("n_over_d") if "probe" in table]
    found = [table[table["probe"] == "specialist"] for table in found]
    if not found:
        yield facts.missing("n/d", "specialist_vs_general")
        return
    ratios = pd.concat([table["n_over_d"] for table in found]).dropna()
    few = int((ratios < 1).sum())
    yield (
        f"Training rows per dimension (d = {facts.record['model'].get('d_model', '?')}): "
        f"{ratios.min():.2g} to {ratios.max():.2g} over {len(ratios)} specialists, {few} of them below 1, "
        "where training accuracy says nothing, as every labelling separates. All scores are out of fold."
    )
    for table in found:
        if "balanced_accuracy" in table and "auroc" in table and "C" in table:
            chosen = sorted(table["C"].dropna().unique())
            yield (
                f"AUROC and balanced accuracy stand side by side; C between {chosen[0]:g} and "
                f"{chosen[-1]:g}, chosen by nested cross-validation over base queries, scaling in the folds."
                if chosen
                else f"C: {NOT_DONE} (no table says which was chosen)."
            )
            return


def _splits(facts: StudyFacts) -> Iterator[str]:
    rows = sampled(facts.responses)
    rows = rows[rows["constrained"]]
    yield (
        f"{facts.setting('n_folds')} folds over {rows['base_query'].nunique()} base queries; all rows of "
        "a base query lie in one fold, and all probes that are compared share the folds."
    )
    texts = rows.drop_duplicates(["task", "base_query", "response"])
    shared = int(texts.duplicated(["task", "response"], keep=False).sum())
    again = len(rows) - len(texts)
    yield (
        f"Of {len(rows)} responses to constrained prompts {again} repeat a text of the same task and base "
        f"query, which no split separates; {shared} texts occur under more than one base query of their task."
    )
    removed = sum(int(table["n_duplicates"].sum()) for _, table in facts.tables("n_duplicates"))
    yield f"{removed} duplicates removed." if removed else f"Removal of duplicates: {NOT_DONE}."


def _leakage(facts: StudyFacts) -> Iterator[str]:
    table = facts.table("specialist_vs_general", needs=["probe", "position", "auroc"])
    if table is None:
        yield facts.missing("Baselines", "specialist_vs_general")
        return
    last = table[table["position"] == "last"]
    baselines = [name for name in BASELINES if (last["probe"] == name).any()]
    means = {name: last.loc[last["probe"] == name, "auroc"].mean() for name in baselines}
    if not baselines:
        yield facts.missing("Baselines that read no activation", "specialist_vs_general")
    else:
        listed = ", ".join(f"{task_label(name)} {value:.3f}" for name, value in means.items())
        yield f"Mean AUROC over tasks at the last token of what reads no activation: {listed}."
    specialist = last[last["probe"] == "specialist"]
    if "layer" in specialist and (specialist["layer"] == -1).any():
        by_layer = specialist.groupby("layer")["auroc"].mean()
        yield f"Specialists at `embed`: {by_layer[-1]:.3f}; at the best layer: {by_layer.max():.3f}."
    else:
        yield f"Layer `embed`: {NOT_DONE} (it was not captured)."


def _control_tasks(facts: StudyFacts) -> Iterator[str]:
    found = list(facts.tables("selectivity"))
    for name, table in found[:1]:
        values = table["selectivity"].dropna()
        if values.empty:
            yield f"Control tasks and selectivity: {NOT_DONE} (each base query has one response)."
            continue
        yield (
            f"Selectivity (real labels minus random ones per base query) in {name}: mean "
            f"{values.mean():.3f}, from {values.min():.3f} to {values.max():.3f} over {len(values)} probes."
        )
    if not found:
        yield f"Control tasks and selectivity: {NOT_DONE} (no table has a column `selectivity`)."
    table = facts.table("layer_stratification", needs=["p"])
    if table is None:
        yield facts.missing("Labels exchanged by whole base queries", "layer_stratification")
    else:
        p = table["p"].dropna()
        yield (
            f"{facts.setting('n_permutations')} permutations that exchange whole base queries: "
            f"{(p <= 0.05).sum()} of {len(p)} task and layer pairs are readable at p <= 0.05, corrected for "
            "looking at every layer."
        )
    yield from null_sentences(facts)


def _decoding(facts: StudyFacts) -> Iterator[str]:
    greedy = facts.compliance["greedy"].dropna()
    if len(greedy):
        yield f"Greedy decoding without ablation: compliance from {greedy.min():.2f} to {greedy.max():.2f}."
    else:
        yield f"Greedy decoding: {NOT_DONE} (it was not asked for)."
    marked = facts.compliance[facts.compliance["note"] != ""]
    listed = ", ".join(
        f"{task_label(task)} ({note})" for task, note in zip(marked["task"], marked["note"], strict=True)
    )
    yield f"Sampled responses at the floor or the ceiling: {listed or 'no task'}; none is dropped in silence."
    result = facts.results.get("causal_ablation")
    notes = () if result is None else result.verdict.notes
    if found := [note for note in notes if "at the floor" in note or "at the ceiling" in note]:
        yield f"Under greedy decoding: {'; '.join(found)}."


def _similarity(facts: StudyFacts) -> Iterator[str]:
    table = facts.table("representational_similarity", needs=["pwcca", "pwcca_ceiling"])
    if table is None:
        yield facts.missing("PWCCA", "representational_similarity")
        return
    if "components" in table and "paired_queries" in table:
        kept, paired = table["components"].max(), table["paired_queries"].max()
        yield f"{kept:g} principal components of {paired:g} base queries, rows paired by base query."
    known, pairs = int(table["pwcca_ceiling"].notna().sum()), len(table)
    yield (
        f"A permutation null is subtracted: debiased PWCCA from {table['pwcca'].min():.3f} to "
        f"{table['pwcca'].max():.3f}; {known} of {pairs} pairs have a split-half ceiling above chance."
    )


def _statistics(facts: StudyFacts) -> Iterator[str]:
    counted = sorted({result.verdict.n for result in facts.results.values()})
    yield (
        f"{facts.setting('n_bootstrap')} resamples of whole base queries behind every interval (n = "
        f"{', '.join(map(str, counted)) or 'none'})."
    )
    families = [
        f"{name} over {int(table[column].notna().sum())} tests in {where} ({column})"
        for column, name in _CORRECTIONS.items()
        for where, table in facts.tables(column)
        if table[column].notna().any()
    ]
    yield f"Corrected families: {'; '.join(families)}." if families else f"Corrected families: {NOT_DONE}."
    choices = [(where, table) for where, table in facts.tables("chosen") if "layer" in table]
    if not choices:
        yield f"Layers chosen on other data than they are reported on: {NOT_DONE} (no table of choices)."
    for where, table in choices[:1]:
        layers = table.loc[table["chosen"].astype(bool), "layer"]
        named = ", ".join(layer_label(int(layer)) for layer in layers)
        yield f"Each fold reports the layer that the other folds choose: {named} (in {where})."


def _absolute_positions(facts: StudyFacts) -> Iterator[str]:
    table = facts.table(
        "temporal_dynamics", "survivors", needs=["position", "mean_tokens_read", "survivors", "responses"]
    )
    if table is None:
        yield facts.missing("Absolute positions", "temporal_dynamics")
        return
    read = table.groupby("position", sort=False)["mean_tokens_read"].mean()
    yield "Mean response tokens read: " + ", ".join(f"{at} {n:.1f}" for at, n in read.items()) + "."
    left = table.groupby("position", sort=False)[["survivors", "responses"]].sum()
    share = (left["survivors"] / left["responses"]).min()
    yield f"At least {share:.0%} of the responses have each position; the rest leave it and are counted."


def _planted_truth(facts: StudyFacts) -> Iterator[str]:
    if facts.calibration is None:
        yield f"Error rates on planted data: {NOT_DONE} (`make calibrate` measures them)."
        return
    for name, claim in facts.calibration["claims"].items():
        found = claim["false_positive"]
        best = max((point["rate"] for point in claim["power"]), default=float("nan"))
        yield (
            f"{task_label(name)}: {found['rate']:.3f} false positives "
            f"[{found['low']:.3f}, {found['high']:.3f}] in {found['runs']} runs; power up to {best:.2f}."
        )


_ITEMS: tuple[tuple[str, Callable[[StudyFacts], Iterator[str]]], ...] = (
    ("n against d", _against_dimensions),
    ("Splits by base query, duplicates", _splits),
    ("Leakage: what reads no activation", _leakage),
    ("Control tasks and permuted labels", _control_tasks),
    ("Controls of every ablation", removals.controls),
    ("Erasure: INLP, LEACE, mean difference", removals.erasure),
    ("Damage of every ablation", removals.damage),
    ("Scope", removals.scope),
    ("Decoding, floors and ceilings", _decoding),
    ("Bias of PWCCA", _similarity),
    ("Bootstrap, corrections, choice of layers", _statistics),
    ("Absolute positions", _absolute_positions),
    ("Truth that is known", _planted_truth),
)
