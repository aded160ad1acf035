"""Whether a study is what it says: checked from its files alone, without its model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from if_circuits.activations.plan import plan_capture
from if_circuits.activations.store import ActivationStore
from if_circuits.analyses.base import get_analysis
from if_circuits.errors import InputError
from if_circuits.generation.sampling import sampled
from if_circuits.study import closing, pipeline
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import StageKeys, task_names
from if_circuits.study.ledger import changes
from if_circuits.study.order import stage_names
from if_circuits.study.place import whole_copy
from if_circuits.study.prospects import shortages_of
from if_circuits.study.versions import versions
from if_circuits.tasks.verification import verify


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    faults: tuple[str, ...]
    """Each names a file or a number, what it is and what it should be; empty when all is well."""
    checked: str
    """What was looked at."""


def audit(place: str | Path, *, recompute: bool = False) -> list[Finding]:
    """Check hashes, versions, row counts, and that each table follows from its inputs.

    With `recompute` the analyses that need no model are done again, and their tables compared. A study at a
    URL is fetched whole: it is what lies there that is checked. Raises InputError when there is no study at
    the place, or its record cannot be read.
    """
    checks = [_files, _stages, _versions, _rows, _verdicts, _activations, _summary]
    checks += [_analyses] if recompute else []
    with whole_copy(place) as root:
        directory = StudyDirectory.open(root)
        directory.ledger.read()  # without it there is nothing to check against
        return [_guarded(check, directory) for check in checks]


def _guarded(check: Callable[[StudyDirectory], Finding], directory: StudyDirectory) -> Finding:
    """A check that cannot read what it needs has found a fault."""
    try:
        return check(directory)
    except (InputError, OSError, ValueError, KeyError) as error:
        return Finding(check.__name__.strip("_"), (f"cannot be checked: {error}",), "")


def _files(directory: StudyDirectory) -> Finding:
    recorded: dict[str, str] = directory.ledger.read()["files"]
    faults = [fault for name in recorded if (fault := directory.ledger.fault(directory.root / name))]
    return Finding("files", tuple(faults), f"{len(recorded)} files against their hashes")


def _stages(directory: StudyDirectory) -> Finding:
    record, config, keys = directory.ledger.read(), directory.config, StageKeys(directory)
    expected = stage_names(config)
    faults = [f"stage {name} is not done" for name in expected if name not in record["stages"]]
    faults += [f"stage {name} is to be done again" for name in record["stale"]]
    for name in (name for name in expected if name in record["stages"]):
        done = record["stages"][name]
        faults += [
            f"{path}: stage {name} read another version of it"
            for path, sha256 in done["inputs"].items()
            if record["files"].get(path) != sha256
        ]
        if changed := changes(done["key"], keys.of(name)):
            faults.append(f"stage {name} is out of date; {changed}")
    if faults:
        faults.append(
            f"to redo what is out of date, go on with `if-circuits run {config.model} --out "
            f"{directory.place}` and the options that the study was made with"
        )
    looked_at = f"{len(expected)} stages, what each of them read, and the code and data that decide it"
    return Finding("stages", tuple(faults), looked_at)


def _versions(directory: StudyDirectory) -> Finding:
    recorded: dict[str, str] = directory.ledger.read()["versions"]
    now = versions(directory.config)
    faults = [
        f"{name} was {recorded.get(name, 'absent')}, here it is {now.get(name, 'absent')}"
        for name in sorted(recorded.keys() | now.keys())
        if recorded.get(name) != now.get(name)
    ]
    return Finding("versions", tuple(faults), f"{len(recorded)} recorded versions against those installed")


def _rows(directory: StudyDirectory) -> Finding:
    config = directory.config
    prompts, responses = pd.read_parquet(directory.prompts), pd.read_parquet(directory.responses)
    asked = prompts.groupby("constrained").size()
    greedy = int(asked.get(True, 0)) if config.greedy else 0
    expected = {
        "responses.parquet": (len(responses), len(prompts) * config.samples_per_prompt + greedy),
        "distinct response_id": (responses["response_id"].nunique(), len(responses)),
    }
    faults = [f"{name}: {n} rows, expected {wanted}" for name, (n, wanted) in expected.items() if n != wanted]
    # A file of prompts may lack some of the kinds that tasks verify.
    wanted, found = set(task_names(config)), set(map(str, prompts["task"]))
    absent = wanted - found if config.prompts is None or config.tasks is not None else set[str]()
    faults += [f"prompts.parquet has no prompt of {name}" for name in sorted(absent)]
    faults += [f"prompts.parquet has prompts of {name}, which is no task of it" for name in found - wanted]
    unknown = set(responses["prompt_id"]) - set(prompts["prompt_id"])
    faults += [f"responses.parquet answers {sorted(unknown)[0]!r}, which is no prompt"] if unknown else []
    return Finding("rows", tuple(faults), f"{len(prompts)} prompts, {len(responses)} responses")


def _verdicts(directory: StudyDirectory) -> Finding:
    responses = pd.read_parquet(directory.responses)
    judges = directory.run_settings.judges
    again = verify(responses.drop(columns=["verdict", "reason"]), chosen=judges)["verdict"].to_numpy()
    differ = responses["response_id"][again != responses["verdict"].to_numpy()].tolist()
    faults = (
        [
            f"{len(differ)} verdicts differ from the verifiers', such as that of {differ[0]}; where `stages` "
            "names no verifier and no judge as changed, the table was edited"
        ]
        if differ
        else []
    )
    return Finding("verdicts", tuple(faults), f"{len(responses)} responses verified again")


def _activations(directory: StudyDirectory) -> Finding:
    store = ActivationStore.open(directory.activations)
    rows = sampled(pd.read_parquet(directory.responses))
    model: dict[str, Any] = directory.ledger.read()["model"]
    key, plan = store.manifest.key, plan_capture(rows)
    expected = {
        "fingerprint": (key.fingerprint, model["fingerprint"]),
        "rows": (store.manifest.n_rows, len(plan.order)),
        "sequences": (key.sequences, plan.sha256()),
    }
    faults = [
        f"activations: {name} is {found}, expected {wanted}"
        for name, (found, wanted) in expected.items()
        if found != wanted
    ]
    faults += [f"activations/{name} is not as its manifest says" for name in store.damaged_files()]
    return Finding(
        "activations", tuple(faults), f"{store.manifest.n_rows} rows at {len(store.layers)} layers"
    )


def _summary(directory: StudyDirectory) -> Finding:
    recorded = json.loads(directory.summary.read_text("utf-8"))
    again = json.loads(closing.summary_text(directory))
    faults = [
        f"summary.json: {name} does not follow from the tables"
        for name in again
        if recorded.get(name) != again[name]
    ]
    return Finding("summary", tuple(faults), f"{len(again['claims'])} claims and the compliance")


def _analyses(directory: StudyDirectory) -> Finding:
    chosen = map(get_analysis, directory.config.analyses)
    analyses = [each.name for each in chosen if not each.uses_model]
    short = shortages_of(directory, analyses)
    faults: list[str] = []
    for name in analyses:
        again = pipeline.analysed(directory, name, short.get(name))
        with TemporaryDirectory() as folder:
            copy = StudyDirectory(Path(folder))
            for path in copy.write_result(again):
                written = path.relative_to(copy.root)
                if path.read_bytes() != (directory.root / written).read_bytes():
                    faults.append(f"{written} differs when {name} is done again")
    return Finding("analyses", tuple(faults), f"{', '.join(analyses)} done again")
