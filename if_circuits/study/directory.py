"""A study's directory: where its files lie, and its results as they lie there.

Whatever has its final name is complete, since files are written beside their place and renamed (`files`);
whether it still is as it was written says the record (`ledger`).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from if_circuits.analyses.base import AnalysisResult, Verdict
from if_circuits.errors import InputError
from if_circuits.io.files import write_json, write_parquet
from if_circuits.io.kept import Kept
from if_circuits.models.settings import RunSettings
from if_circuits.study.config import StudyConfig
from if_circuits.study.ledger import RECORD, Ledger
from if_circuits.study.lock import LOCK
from if_circuits.study.mirror import OWN_FILES, place_name


@dataclass(frozen=True)
class StudyDirectory:
    """The files of one study."""

    root: Path

    @property
    def place(self) -> str:
        """What a user calls it: the directory, or the URL that it mirrors."""
        return place_name(self.root)

    @property
    def prompts(self) -> Path:
        return self.root / "prompts.parquet"

    def generated(self, name: str, part: int) -> Path:
        """Responses of one pass to one part of the prompts, before they are verified."""
        return self.root / "generated" / f"{name}-{part:04d}.parquet"

    def parts(self, name: str) -> list[Path]:
        """All parts of one pass that lie there."""
        return sorted((self.root / "generated").glob(f"{name}-*.parquet"))

    @property
    def pilot_answers(self) -> Path:
        """The pilot's responses, before they are verified."""
        return self.root / "generated" / "pilot.parquet"

    @property
    def pilot_responses(self) -> Path:
        return self.root / "pilot-responses.parquet"

    @property
    def pilot(self) -> Path:
        """What the pilot found of each grade, and which ones the study asks."""
        return self.root / "results" / "pilot.parquet"

    @property
    def responses(self) -> Path:
        return self.root / "responses.parquet"

    @property
    def compliance(self) -> Path:
        """How often each task's constraint is satisfied."""
        return self.root / "results" / "compliance.parquet"

    @property
    def activations(self) -> Path:
        return self.root / "activations"

    @property
    def counterfactual(self) -> Path:
        """Texts of responses under prompts that they satisfy and that they break."""
        return self.root / "counterfactual.parquet"

    @property
    def counterfactual_activations(self) -> Path:
        return self.root / "activations-counterfactual"

    def kept(self, stage: str) -> Kept:
        """Parts of a stage that is at work; nothing remains of them when it is done."""
        return Kept(self.root / f"at-work-{stage}")

    def table(self, analysis: str, extra: str | None = None) -> Path:
        """The table of an analysis, or one of its further tables."""
        return (
            self.root
            / "results"
            / (f"{analysis}.parquet" if extra is None else f"{analysis}.{extra}.parquet")
        )

    def verdict(self, analysis: str) -> Path:
        return self.root / "results" / f"{analysis}.json"

    def figure(self, name: str) -> Path:
        return self.root / "figures" / f"{name}.png"

    def csv(self, table: Path) -> Path:
        """A table of results for whoever reads no Parquet."""
        return self.root / "csv" / f"{table.stem}.csv"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @classmethod
    def find(cls, root: Path) -> "StudyDirectory | None":
        """The study at `root`; None where there is nothing yet.

        Raises InputError when something else lies there.
        """
        if not root.exists():
            return None
        if not root.is_dir():
            raise InputError(f"{root} is a file; a study needs a directory of its own")
        if (root / RECORD).is_file():
            return cls(root)
        if any(path.name not in {LOCK, f".{RECORD}.partial", *OWN_FILES} for path in root.iterdir()):
            raise InputError(f"{root} holds files but no study; choose a new or empty directory")
        return None

    @classmethod
    def open(cls, root: Path) -> "StudyDirectory":
        """The study at `root`. Raises InputError when there is none."""
        found = cls.find(root)
        if found is None:
            place = place_name(root)
            raise InputError(
                f"there is no study in {place}; make one with `if-circuits run MODEL --out {place}`"
            )
        return found

    @classmethod
    def create(cls, root: Path, record: Mapping[str, Any]) -> "StudyDirectory":
        """Start a study at `root` with its record. Raises InputError when the place cannot be written."""
        directory = cls(root)
        directory.ledger.create(record)
        return directory

    @property
    def ledger(self) -> Ledger:
        """What has been done, and the hash of every file."""
        return Ledger(self.root)

    def holds_work(self) -> bool:
        """Whether there is anything here that took a model to make."""
        return any(not name.startswith("prompts") for name in self.ledger.read()["files"])

    @property
    def config(self) -> StudyConfig:
        """The configuration of this study."""
        return StudyConfig.from_json(self.ledger.read()["config"])

    @property
    def run_settings(self) -> RunSettings:
        """How this study runs its model."""
        return RunSettings.from_json(self.ledger.read()["run_settings"])

    def write_result(self, result: AnalysisResult) -> Sequence[Path]:
        """Write an analysis's tables and verdict, and give their paths."""
        tables = {self.table(result.name): result.table}
        tables |= {self.table(result.name, name): table for name, table in result.tables.items()}
        for path, table in tables.items():
            write_parquet(path, table)
        write_json(self.verdict(result.name), {**asdict(result.verdict), "tables": list(result.tables)})
        return [*tables, self.verdict(result.name)]

    def read_result(self, name: str) -> AnalysisResult:
        """The result of an analysis that was done. Raises InputError when it was not."""
        path = self.verdict(name)
        if not path.is_file():
            raise InputError(f"{self.place} has no result of {name}; run `if-circuits analyse {self.place}`")
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        extra: list[str] = values.pop("tables")
        for field in ("effect", "p"):
            values[field] = _number(values[field])
        values["interval"] = tuple(_number(bound) for bound in values["interval"])
        values["notes"] = tuple(values["notes"])
        tables = {table: pd.read_parquet(self.table(name, table)) for table in extra}
        return AnalysisResult(name, pd.read_parquet(self.table(name)), Verdict(**values), tables)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
