"""Studies side by side: models, seeds, or a base model and its tuned one.

Reads what finished studies wrote, and computes nothing again. Studies that differ in the rules of their
verdicts are compared all the same, and flagged: a verdict that differs may then be the rules' doing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd

from if_circuits.analyses.base import ANALYSES
from if_circuits.errors import InputError
from if_circuits.io.files import write_bytes, write_parquet
from if_circuits.plotting.html import figure_html, page_html, table_html
from if_circuits.plotting.numbers import format_number, format_p
from if_circuits.plotting.style import png_bytes, task_label
from if_circuits.statistics.verdicts import Outcome
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.forest import draw_forest
from if_circuits.study.mirror import place_name
from if_circuits.study.order import stage_names
from if_circuits.study.place import open_place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_RULES = "settings."
"""How differences in the analyses' settings begin (`StudyConfig.differences`)."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Several studies side by side."""

    table: pd.DataFrame
    """Claim × study: analysis, claim, study, model, seed, verdict, effect, low, high, p, n (base queries) and
    rule."""
    compliance: pd.DataFrame
    """Task × study: task, family, study, constrained, unconstrained, difference with low and high, and n
    (responses)."""
    agreement: pd.DataFrame
    """A row a claim: analysis, claim, n_studies, how many came to each verdict, agreement (share of the pairs
    of studies with the same verdict) and contradicted (supported in one study, not supported in another)."""
    differences: pd.DataFrame
    """study, against (the first study), difference, and whether it is one of the rules of the verdicts."""

    def figure(self) -> Figure:
        """For each claim the effect of each study with its interval; the marker is the verdict."""
        return draw_forest(self.table)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where the rules of the verdicts are not the same."""
        rules = self.differences[self.differences["of_rules"]]
        return tuple(
            f"{row['study']} has other rules than {row['against']}: {row['difference']}"
            for row in rules.to_dict("records")
        )

    def verdicts(self) -> pd.DataFrame:
        """A row a claim, a column a study, as text: verdict, effect, interval, p and n."""
        return _wide(self.table, "claim", _told)

    def shares(self) -> pd.DataFrame:
        """A row a task, a column a study, as text: compliance constrained and unconstrained, n."""
        return _wide(self.compliance, "task", _shares)

    def save(self, out: str | Path) -> Path:
        """Write compare.parquet and its companions, compare.png, compare.md and compare.html into `out`."""
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        write_parquet(folder / "compare.parquet", self.table)
        for name in ("compliance", "agreement", "differences"):
            write_parquet(folder / f"compare.{name}.parquet", getattr(self, name))
        write_bytes(folder / "compare.png", png_bytes(self.figure()))
        write_bytes(folder / "compare.md", self.markdown(figure="compare.png").encode())
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Studies compared</title>'
        write_bytes(folder / "compare.html", (head + self._repr_html_()).encode())
        return folder

    def markdown(self, *, figure: str | None = None) -> str:
        """The tables as Markdown, and `figure`, a path, among them."""
        shown = f"![effects of every claim by study]({figure})\n\n" if figure else ""
        notes = "".join(f"- {note}\n" for note in (*self.warnings, *self._others())) or "None.\n"
        parts = [_markdown(table) for table in (self.verdicts(), self._agreement(), self.shares())]
        return (
            f"# {self._heading()}\n\n{parts[0]}\n{shown}## Agreement of the verdicts\n\n{parts[1]}\n"
            f"## Compliance: constrained / unconstrained\n\n{parts[2]}\n## Differences\n\n{notes}"
        )

    def __repr__(self) -> str:
        return f"{self._heading()}\n\n{self.verdicts().to_string(index=False)}"

    def _repr_html_(self) -> str:
        tables = (table_html(each, index=False) for each in (self._agreement(), self.shares()))
        return page_html(
            self._heading(),
            table_html(self.verdicts(), index=False),
            figure_html(self.figure()),
            *tables,
            notes=[*self.warnings, *self._others()],
        )

    def _heading(self) -> str:
        names = list(dict.fromkeys(self.compliance["study"]))
        same = int((self.agreement["agreement"] == 1).sum())
        return (
            f"{len(names)} studies: {', '.join(names)}; "
            f"all of one verdict on {same} of {len(self.agreement)} claims"
        )

    def _agreement(self) -> pd.DataFrame:
        shown = self.agreement.drop(columns="analysis")
        shown = shown.assign(
            agreement=shown["agreement"].map("{:.2f}".format), contradicted=shown["contradicted"].map(_yes)
        )
        return shown.rename(columns=task_label)

    def _others(self) -> Iterator[str]:
        for row in self.differences[~self.differences["of_rules"]].to_dict("records"):
            yield f"{row['study']} differs from {row['against']}: {row['difference']}"


def compare(directories: Sequence[str | Path]) -> Comparison:
    """Finished studies side by side: their verdicts, their compliance, and how far the verdicts agree.

    Args:
        directories: Of two studies or more. A study is called by its directory's name.

    Returns:
        A result with `.table` (claim × study), `.compliance`, `.agreement`, `.differences`, `.figure()` and
        `.save(folder)`.

    Raises:
        InputError: For fewer than two studies, one that is named twice, and what is no finished study.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import if_circuits as ifc
        >>> asked = {"tasks": "topic", "n_base_queries": 5, "greedy": False, "analyses": "specificity"}
        >>> with TemporaryDirectory() as folder:
        ...     for seed in (0, 1):
        ...         _ = ifc.Study.run(ifc.StudyConfig("if-tiny", seed=seed, **asked), f"{folder}/seed-{seed}")
        ...     found = ifc.compare([f"{folder}/seed-0", f"{folder}/seed-1"])
        >>> found.table[["analysis", "study", "verdict"]].values.tolist()
        [['specificity', 'seed-0', 'inconclusive'], ['specificity', 'seed-1', 'inconclusive']]
        >>> found.differences["difference"].tolist()
        ['seed 0 against 1']
    """
    given: Any = [directories] if isinstance(directories, str | Path) else directories
    roots = [open_place(root) for root in given]
    if len(roots) < 2:
        raise InputError(f"got {len(roots)} study; give the directories of two studies or more")
    for place, root in enumerate(roots):
        if root.resolve() in [other.resolve() for other in roots[:place]]:
            raise InputError(f"{place_name(root)} is given twice; give each study once")
    studies = dict(zip(_names(roots), map(_finished, roots), strict=True))
    table = pd.DataFrame(
        [row for name, study in studies.items() for row in _claims(name, study)], columns=_CLAIM
    )
    order = {name: place for place, name in enumerate(ANALYSES)}
    table = table.sort_values(
        "analysis", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )
    compliance = pd.concat([_compliance(*each) for each in studies.items()], ignore_index=True)
    return Comparison(table, compliance, _agreement(table), _differences(studies))


def _names(roots: Sequence[Path]) -> list[str]:
    """Of each directory its own name, or its path where two have one name."""
    names = [root.resolve().name for root in roots]
    return [
        place_name(root) if names.count(name) > 1 else name for root, name in zip(roots, names, strict=True)
    ]


def _finished(root: Path) -> StudyDirectory:
    directory = StudyDirectory.open(root)
    record = directory.ledger.read()
    names = stage_names(directory.config)
    for name in names:
        if name not in record["stages"] or name in record["stale"]:
            raise InputError(
                f"{directory.place} is not a finished study: {name} is not done; go on with `if-circuits run "
                f"{directory.config.model} --out {directory.place}` and the options that it was made with"
            )
    return directory


_CLAIM = ["analysis", "claim", "study", "model", "seed", "verdict", "effect", "low", "high", "p", "n", "rule"]


def _claims(name: str, study: StudyDirectory) -> Iterator[tuple[object, ...]]:
    config = study.config
    for analysis in config.analyses:
        found = study.read_result(analysis).verdict
        numbers = (found.effect, *found.interval, found.p, found.n)
        yield analysis, found.claim, name, config.model, config.seed, found.verdict, *numbers, found.rule


def _compliance(name: str, study: StudyDirectory) -> pd.DataFrame:
    columns = ["constrained", "unconstrained", "difference", "low", "high", "n"]
    table = pd.read_parquet(study.compliance)[["task", "family", *columns]]
    table.insert(2, "study", name)
    return table


def _agreement(table: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for analysis, found in table.groupby("analysis", sort=False):
        counts = {outcome: int((found["verdict"] == outcome).sum()) for outcome in _OUTCOMES}
        n = len(found)
        same = sum(count * (count - 1) for count in counts.values())
        rows.append(
            {
                "analysis": analysis,
                "claim": found["claim"].iloc[0],
                "n_studies": n,
                **{outcome.replace(" ", "_"): count for outcome, count in counts.items()},
                "agreement": same / (n * (n - 1)) if n > 1 else float("nan"),
                "contradicted": min(counts["supported"], counts["not supported"]) > 0,
            }
        )
    outcomes = [outcome.replace(" ", "_") for outcome in _OUTCOMES]
    columns = ["analysis", "claim", "n_studies", *outcomes, "agreement", "contradicted"]
    return pd.DataFrame(rows, columns=columns)


def _differences(studies: dict[str, StudyDirectory]) -> pd.DataFrame:
    """How each study differs from the first: in what it was asked, and in the rules of its verdicts."""
    (first, one), *others = studies.items()
    rows: list[tuple[str, str, str, bool]] = []
    for name, other in others:
        asked = one.config.differences(other.config)
        rows += [(name, first, each, _is_rule(each)) for each in asked]
        rows += [(name, first, each, True) for each in _rules(one, other)]
    return pd.DataFrame(rows, columns=["study", "against", "difference", "of_rules"])


def _rules(one: StudyDirectory, other: StudyDirectory) -> Iterator[str]:
    """Differences in the code that gave the verdicts, in words."""
    mine, theirs = one.ledger.read(), other.ledger.read()
    version = [record["versions"]["if_circuits"] for record in (mine, theirs)]
    if version[0] != version[1]:
        yield f"if_circuits {version[0]} against {version[1]}"
    shared = [name for name in one.config.analyses if name in other.config.analyses]
    code = [{name: _code(record, name) for name in shared} for record in (mine, theirs)]
    if changed := [name for name in shared if code[0][name] != code[1][name]]:
        yield f"the code of {', '.join(changed)} is not the same"


def _code(record: dict[str, Any], analysis: str) -> str | None:
    """Digest of the code that gave an analysis's numbers (`keys`)."""
    return record["stages"][f"analyses.{analysis}"]["key"].get(f"the code of {analysis}")


def _is_rule(difference: str) -> bool:
    """Another seed of the resampling is another draw, not another rule."""
    return difference.startswith(_RULES) and not difference.startswith(f"{_RULES}seed ")


def _told(row: dict[str, Any]) -> str:
    if pd.isna(row["effect"]):
        return f"{row['verdict']} (no effect measured)"
    low, high = format_number(row["low"]), format_number(row["high"])
    numbers = f"{format_number(row['effect'])} [{low}, {high}], p {format_p(row['p'])}, n = {row['n']}"
    return f"{row['verdict']}: {numbers}"


def _shares(row: dict[str, Any]) -> str:
    return f"{row['constrained']:.2f} / {row['unconstrained']:.2f} (n = {row['n']})"


def _wide(table: pd.DataFrame, by: str, tell: Any) -> pd.DataFrame:
    """One row for each value of `by`, one column a study, as text."""
    told = pd.DataFrame(
        {by: table[by], "study": table["study"], "told": [tell(row) for row in table.to_dict("records")]}
    )
    rows, studies = list(dict.fromkeys(told[by])), list(dict.fromkeys(told["study"]))
    wide = told.pivot(index=by, columns="study", values="told").reindex(index=rows, columns=studies)
    wide = wide.fillna("–").rename_axis(columns=None).reset_index()
    return wide.assign(**{by: wide[by].map(task_label)})


def _markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |\n" for line in lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
