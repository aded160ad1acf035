"""A study that goes on after a change to what decides it: nothing stale stays, nothing else is redone.

Each input is changed in turn, in a finished study. What is then in its directory must equal a study that was
begun after the change, file by file; and only the stages that depend on the input may have worked.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.io import code
from if_circuits.models.loading import load_model
from if_circuits.models.presets import ModelPreset, presets
from if_circuits.monitor.subject import subject_of
from if_circuits.registry import Registry
from if_circuits.study import Study, StudyConfig
from if_circuits.study.audit import audit
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.nulls.draws import null_verdicts
from if_circuits.study.nulls.exchanged import exchanged_labels
from if_circuits.study.targets import fit_targets
from if_circuits.tasks.judges import lexicons
from if_circuits.tasks.judges.base import Judgement
from if_circuits.tasks.judges.registry import judges
from if_circuits.tasks.registry import get_task, tasks
from if_circuits.tasks.verifiers import verifier_of
from tests.study.kill import content

pytestmark = pytest.mark.slow

SETTINGS = AnalysisSettings(n_folds=3, n_bootstrap=10, n_permutations=10, n_random_subspaces=2)
ANALYSES = {"analyses.cross_task_transfer", "analyses.specificity"}
RESPONSES = {"responses.constrained", "responses.unconstrained", "responses.greedy"}
CAPTURED = {"activations", "activations.counterfactual"}
AFTER_VERDICTS = {
    "compliance",
    "counterfactual",
    "activations.counterfactual",
    *ANALYSES,
    "readings",
    "closing",
}
ALL = {"prompts", *RESPONSES, "verification", "activations", *AFTER_VERDICTS}
ONE_PRESET = "preset-of-this-test"


def preset(source: str, **changes: Any) -> ModelPreset:
    return replace(
        ModelPreset(ONE_PRESET, source, "for a test", suite="controlled", max_new_tokens=6), **changes
    )


@pytest.fixture(scope="module")
def config(checkpoint: Callable[[str], Path]) -> StudyConfig:
    if ONE_PRESET not in presets.names():
        presets.add(ONE_PRESET, preset(str(checkpoint("llama"))), origin=__name__)
    return StudyConfig(
        model=ONE_PRESET,
        tasks=("term_exclusion", "register"),
        n_base_queries=6,
        prompts_per_query=2,
        layers=(0,),
        analyses=tuple(sorted(name.removeprefix("analyses.") for name in ANALYSES)),
        settings=SETTINGS,
    )


@pytest.fixture(scope="module")
def finished(config: StudyConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stale") / "study"
    Study.run(config, out)
    return out


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy to go on with."""
    return shutil.copytree(finished, tmp_path / "study")


def put(monkeypatch: pytest.MonkeyPatch, registry: Registry[Any], name: str, member: object) -> None:
    """Another member under the name of one that is registered, as an edited module would put it there."""
    entry = replace(registry._registered[name], member=member)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(registry._registered, name, entry)  # pyright: ignore[reportPrivateUsage]


def edit(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """As if the module's code were another one."""
    digest = code._module_digest  # pyright: ignore[reportPrivateUsage]

    def edited(path: Path, modified: int) -> str:
        return "edited" if str(path).endswith(module) else digest(path, modified)

    monkeypatch.setattr(code, "_module_digest", edited)


def by_length(response: str, word: str) -> tuple[bool, str]:
    del word
    return len(response) % 2 == 0, "by length"


def draw_formal(rng: Random, subject: str, words: Sequence[str]) -> dict[str, str]:
    del rng, subject, words
    return {"register": "formal"}


class LengthJudge:
    name = "length"

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        return [Judgement("formal" if len(text) % 2 else "informal", 1.0, "by length") for text in texts]


def verifier(patch: pytest.MonkeyPatch) -> None:
    put(
        patch,
        tasks,
        "term_exclusion",
        replace(get_task("term_exclusion"), verify=verifier_of(by_length, judge=None)),
    )


def judge(patch: pytest.MonkeyPatch) -> None:
    put(patch, judges, "register-lexicon", LengthJudge)


def lexicon(patch: pytest.MonkeyPatch) -> None:
    words = {"formal": ["the", "a", "of"], "informal": ["and", "in", "to"]}
    patch.setattr(lexicons, "load_lexicon", lambda _: words)


def draw(patch: pytest.MonkeyPatch) -> None:
    put(patch, tasks, "register", replace(get_task("register"), draw=draw_formal))


def wording(patch: pytest.MonkeyPatch) -> None:
    task = get_task("register")
    put(patch, tasks, "register", replace(task, paraphrases=tuple(f"Please. {p}" for p in task.paraphrases)))


CHANGES: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], set[str], str]] = {
    "verifier": (verifier, {"verification"} | AFTER_VERDICTS, "the verifier of term_exclusion"),
    "judge": (judge, {"verification"} | AFTER_VERDICTS, "the judge of register"),
    "judge's lexicon": (lexicon, {"verification"} | AFTER_VERDICTS, "the judge of register"),
    "draw": (draw, ALL, "what register draws"),
    "wording": (wording, ALL, "the wording of register"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_costs_what_depends_on_it_and_leaves_nothing_stale(
    name: str,
    config: StudyConfig,
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    change, allowed, said = CHANGES[name]
    change(monkeypatch)
    (study / "notes.txt").write_text("mine")
    out_of_date = [fault for finding in audit(study) for fault in finding.faults]
    assert any(said in fault for fault in out_of_date)
    assert any("go on with `if-circuits run" in fault for fault in out_of_date)
    with pytest.raises(InputError, match="go on with"):
        Study.open(study).analyse()

    worked: set[str] = set()
    Study.run(config, study, progress=lambda stage, *_: worked.add(stage))
    assert said in caplog.text
    assert "verification" in worked or name in ("draw", "wording")
    assert worked <= allowed
    Study.run(config, tmp_path / "fresh")
    found, fresh = content(study), content(tmp_path / "fresh")
    assert found.pop("notes.txt") == b"mine"
    assert found.keys() == fresh.keys()
    assert [path for path in fresh if found[path] != fresh[path]] == []
    assert [fault for finding in audit(study) for fault in finding.faults] == []


MODULES: dict[str, set[str]] = {
    "tasks/prompts.py": {"prompts"},
    "generation/decoding.py": RESPONSES,
    "models/chat.py": {*RESPONSES, *CAPTURED, "analyses.specificity", "readings"},
    "tasks/verification.py": {"verification", "counterfactual"},
    "tasks/counterfactual.py": {"counterfactual"},
    "analyses/compliance/analysis.py": {"compliance"},
    "activations/shards.py": {*CAPTURED, *ANALYSES, "readings"},
    "analyses/specificity/analysis.py": {"analyses.specificity"},
    "statistics/bootstrap.py": {"compliance", *ANALYSES, "readings"},
    "analyses/cross_task_transfer/figure.py": set(),
    "report/checklist.py": set(),
}
"""The stages that a module decides. The closing stage is not looked at: it follows whatever it shows."""


@pytest.mark.parametrize("module", MODULES)
def test_edited_code_costs_the_stages_that_it_decides(
    module: str, config: StudyConfig, study: Path, monkeypatch: pytest.MonkeyPatch
):
    """The same results come out, so no further stage is done again."""
    edit(monkeypatch, module)
    before = content(study)
    worked: set[str] = set()
    Study.run(config, study, progress=lambda stage, *_: worked.add(stage))
    assert worked - {"closing"} == MODULES[module]
    assert ("closing" in worked) >= (module.endswith("figure.py") or module.startswith("report/"))
    assert content(study) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"settings": replace(SETTINGS, n_bootstrap=11)},
        {"layers": (1,)},
    ],
    ids=str,
)
def test_other_options_are_another_study(config: StudyConfig, study: Path, changes: dict[str, Any]):
    before = content(study)
    with pytest.raises(InputError, match="holds another study"):
        Study.run(replace(config, **changes), study)
    assert content(study) == before


def test_other_settings_of_its_preset_are_another_study(
    config: StudyConfig, study: Path, monkeypatch: pytest.MonkeyPatch
):
    put(monkeypatch, presets, ONE_PRESET, replace(presets.get(ONE_PRESET), max_new_tokens=7))
    before = content(study)
    with pytest.raises(InputError, match="was made with"):
        Study.run(config, study)
    assert content(study) == before


def test_what_a_stopped_run_left_of_a_stage_is_dropped_when_its_code_changes(
    config: StudyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "study"
    with monkeypatch.context() as patch:
        patch.setattr("if_circuits.generation.parts.PART_PROMPTS", 8)

        def stop(stage: str, done: int, total: int) -> None:
            if stage == "responses.constrained" and done > total / 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Study.run(config, out, progress=stop)
    parts = list(out.glob("generated/*"))
    assert parts
    stale = {path: path.stat().st_mtime_ns for path in parts}
    edit(monkeypatch, "generation/decoding.py")
    Study.run(config, out)
    assert all(path.stat().st_mtime_ns != time for path, time in stale.items() if path.exists())
    assert cli.main(["verify", str(out)]) == 0


def test_what_was_left_before_a_change_is_dropped_however_often_the_study_is_stopped_after_it(
    config: StudyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A second stop leaves parts of the code before and after the change side by side."""
    out = tmp_path / "study"
    monkeypatch.setattr("if_circuits.generation.parts.PART_PROMPTS", 8)

    def stop(share: float) -> Callable[[str, int, int], None]:
        def told(stage: str, done: int, total: int) -> None:
            if stage == "responses.constrained" and done >= share * total:
                raise KeyboardInterrupt

        return told

    with pytest.raises(KeyboardInterrupt):
        Study.run(config, out, progress=stop(0.9))
    stale = {path: path.stat().st_mtime_ns for path in out.glob("generated/*")}
    assert len(stale) == 2
    edit(monkeypatch, "generation/decoding.py")
    with pytest.raises(KeyboardInterrupt):
        Study.run(config, out, progress=stop(0.2))
    with pytest.raises(KeyboardInterrupt):
        Study.run(config, out, progress=stop(1.0))
    assert all(path.stat().st_mtime_ns != time for path, time in stale.items())


def test_what_an_analysis_kept_is_used_again_only_while_nothing_that_decides_it_changes(
    config: StudyConfig, study: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is dropped before anything says that the analysis is at work on what is new."""
    name = "analyses.specificity"
    found: list[int] = []

    def leave(n: int) -> None:
        StudyDirectory.open(study).kept(name).table("a part", lambda: pd.DataFrame({"n": [n]}))

    def stop(stage: str, done: int, total: int) -> None:
        del total
        if stage == name and not done:
            found.append(len(list(study.glob(f"at-work-{name}/*.parquet"))))
            raise KeyboardInterrupt

    leave(1)
    edit(monkeypatch, "specificity/analysis.py")
    for left in (0, 1):  # what was left before the edit, then what was left after it
        with pytest.raises(KeyboardInterrupt):
            Study.run(config, study, progress=stop)
        assert found.pop() == left
        leave(2)
    Study.run(config, study)
    assert not (study / f"at-work-{name}").exists()


def test_who_reads_a_study_that_is_out_of_date_is_told(
    config: StudyConfig, study: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    opened, model = Study.open(study), load_model(config.model)
    readers = (
        lambda: null_verdicts(opened.directory, exchanged_labels(opened.directory), [], draws=1),
        lambda: fit_targets(opened, model, []),
        lambda: subject_of(model, opened),
    )
    for read in readers:
        read()
    assert caplog.text == ""
    verifier(monkeypatch)
    for read in readers:
        caplog.clear()
        read()
        assert "out of date (verification: changed since: the verifier of term_exclusion)" in caplog.text
        assert "go on with `if-circuits run" in caplog.text
