"""study.json: what a study was asked, which stages are done, and the hash of every file that they wrote.

A stage is done when its files are as it left them, and neither what it read nor its key has changed since. A
key (`keys`) names the code and the data that decide what the stage writes. So a damaged file, or a change to
the code, costs the stage concerned, and those after it only if it comes out differently.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from if_circuits.errors import InputError
from if_circuits.io.digest import file_sha256
from if_circuits.io.files import write_json
from if_circuits.study.mirror import lies_at_url, place_name

RECORD = "study.json"
FORMAT = 3


@dataclass(frozen=True)
class Ledger:
    """The record of the study in the directory `root`."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / RECORD

    def create(self, record: Mapping[str, Any]) -> None:
        """Begin a record with nothing done. Raises InputError when the place cannot be written."""
        try:
            empty = {"stages": {}, "begun": {}, "stale": [], "files": {}}
            write_json(self.path, {"format": FORMAT, **record, **empty})
        except OSError as error:
            raise InputError(f"cannot write a study to {place_name(self.root)}: {error.strerror}") from error

    def read(self) -> dict[str, Any]:
        """The content of study.json. Raises InputError when it cannot be read."""
        try:
            record = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path} cannot be read: {error}; without its record a study cannot go on: "
                "restore the file, or choose another directory"
            ) from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise InputError(
                f"{self.path} is not a study's record of format {FORMAT}: another version of if_circuits "
                "wrote it; choose another directory"
            )
        return record

    def update(self, **values: Any) -> None:
        """Set values of the record beside those of its stages."""
        record = self.read()
        if any(record.get(name) != value for name, value in values.items()):
            write_json(self.path, {**record, **values})

    def keep(self, *paths: Path) -> None:
        """Record the content of files that were just written."""
        record = self.read()
        record["files"] |= self._hashes(paths)
        write_json(self.path, record)

    def fault(self, path: Path) -> str:
        """What is wrong with a file of this study, as "X is missing"; empty when it is as it was written."""
        return self._fault(self._name(path), self.read())

    def begun(self, stage: str, *, inputs: Iterable[Path], key: Mapping[str, str]) -> str | None:
        """What has changed since an earlier attempt at a stage began, empty when nothing has, so that what it
        left unfinished may be kept; None when there was none.
        """
        before = self.read()["begun"].get(stage)
        return None if before is None else changes(before, {**key, **self._hashes(inputs)})

    def begin(self, stage: str, *, inputs: Iterable[Path], key: Mapping[str, str]) -> None:
        """Record that a stage is at work, once nothing lies there that was made of anything else."""
        record = self.read()
        now = {**key, **self._hashes(inputs)}
        if record["begun"].get(stage) != now:
            record["begun"][stage] = now
            write_json(self.path, record)

    def finish(
        self,
        stage: str,
        *,
        inputs: Iterable[Path],
        key: Mapping[str, str],
        outputs: Iterable[Path],
        seconds: float,
        peak_memory_mb: float,
    ) -> None:
        """Record that a stage is done, and its cost; of a resumed stage, the cost of its last part.

        Files that it wrote before and no longer does are removed, if they are as it left them.
        """
        record = self.read()
        written = self._hashes(outputs)
        before = record["stages"].get(stage, {"outputs": []})["outputs"]
        for name in set(before) - set(written):
            if not self._fault(name, record):
                (self.root / name).unlink(missing_ok=True)  # it may lie at a URL alone
            record["files"].pop(name, None)
        record["files"] |= written
        record["stages"][stage] = {
            "seconds": round(seconds, 2),
            "peak_memory_mb": round(peak_memory_mb),
            "inputs": self._hashes(inputs),
            "key": dict(key),
            "outputs": list(written),
        }
        record["stale"] = [name for name in record["stale"] if name != stage]
        write_json(self.path, record)

    def pending(self, stage: str, inputs: Iterable[Path], key: Mapping[str, str]) -> str | None:
        """None when a stage is done; else why it is to be done, empty when it never was or was asked for."""
        record = self.read()
        if stage not in record["stages"] or stage in record["stale"]:
            return ""
        done = record["stages"][stage]
        for name in done["outputs"]:
            if fault := self._fault(name, record):
                return fault
        if changed := changes(done["key"], key):
            return changed
        for path in inputs:
            name = self._name(path)
            if done["inputs"].get(name) != record["files"].get(name):
                return f"{name} has changed since"
        return None

    def mark_stale(self, stages: Iterable[str]) -> None:
        """Have stages done again although their outputs lie there."""
        record = self.read()
        record["stale"] = sorted({*record["stale"], *stages})
        write_json(self.path, record)

    def _hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        return {self._name(path): file_sha256(path) for path in paths}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _fault(self, name: str, record: Mapping[str, Any]) -> str:
        path = self.root / name
        if name not in record["files"]:
            return f"{name} was never finished"
        if not path.is_file():
            there = lies_at_url(self.root, name, record["files"][name])
            return "" if there else f"{name} is missing"
        return "" if file_sha256(path) == record["files"][name] else f"{name} is damaged"


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which parts of two keys differ, as "changed since: the verifier of topic"; empty when none does."""
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not differing:
        return ""
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return f"changed since: {', '.join(differing[:3])}{more}"
