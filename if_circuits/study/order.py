"""The stages of a study, in their order, and the files that each of them reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from if_circuits.activations.manifest import MANIFEST_FILE
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.directory import StudyDirectory
from if_circuits.tasks.registry import tasks
from if_circuits.tasks.suites.choice import get_suite

AGREED = "agreed"
"""The stage that repeats verdicts on the labels on which two judges agree."""
CLOSING = "closing"
"""The stage that writes figures, report and summary."""
READINGS = "readings"
"""The stage that reads a sample of responses token by token."""


@dataclass(frozen=True)
class Pass:
    """One way through the prompts."""

    name: str
    constrained: bool
    greedy: bool


_PASSES = (
    Pass("constrained", constrained=True, greedy=False),
    Pass("unconstrained", constrained=False, greedy=False),
    Pass("greedy", constrained=True, greedy=True),
)


def stage_names(config: StudyConfig) -> list[str]:
    """The stages of a study, in their order."""
    return [
        *(("pilot.responses", "pilot") if has_pilot(config) else ()),
        "prompts",
        *(f"responses.{each.name}" for each in passes(config)),
        "verification",
        "compliance",
        "counterfactual",
        "activations",
        "activations.counterfactual",
        *(f"analyses.{name}" for name in config.analyses),
        *((AGREED,) if has_second_judges(config) else ()),
        READINGS,
        CLOSING,
    ]


def has_second_judges(config: StudyConfig) -> bool:
    """Whether verdicts are repeated on agreed labels: in the open suite, where tasks are judged.

    What the controlled suite asks for is told by the lists that judge it, so a second judge only errs there.
    """
    if config.prompts is not None or suite_of(config) != "open":
        return False
    known = tasks.names()
    return any(tasks.get(name).judge for name in config.tasks or known if name in known)


def has_pilot(config: StudyConfig) -> bool:
    """Whether a pilot chooses the grades of a study; a file of prompts has none to choose."""
    return config.prompts is None and get_suite(suite_of(config)).piloted


def inputs_of(name: str, directory: StudyDirectory) -> tuple[Path, ...]:
    """The files that a stage reads, of those that are there."""
    piloted = (directory.pilot,) if has_pilot(directory.config) else ()
    if name == "pilot":
        return (directory.pilot_answers,)
    if name == "prompts":
        return piloted
    if name.startswith("responses."):
        return (directory.prompts,)
    if name == "verification":
        return (directory.prompts, *generated(directory))
    if name == "compliance":
        return (directory.responses, *piloted)
    if name == "counterfactual":
        return (directory.responses,)
    if name.startswith("analyses.") or name in (AGREED, READINGS):
        return _analysed(directory)
    return _shown(directory) if name == CLOSING else ()


def generated(directory: StudyDirectory, *, only: Pass | None = None) -> list[Path]:
    """The parts of all passes, or of one, in their order."""
    chosen = passes(directory.config) if only is None else [only]
    return _outputs(directory, [f"responses.{each.name}" for each in chosen])


def passes(config: StudyConfig) -> list[Pass]:
    """The ways through the prompts that a study takes."""
    return [each for each in _PASSES if config.greedy or not each.greedy]


def _analysed(directory: StudyDirectory) -> tuple[Path, ...]:
    """What every analysis reads; the manifests stand for what was captured."""
    captured = (directory.activations, directory.counterfactual_activations)
    manifests = (path / MANIFEST_FILE for path in captured)
    piloted = (directory.pilot,) if has_pilot(directory.config) else ()
    return (
        directory.responses,
        directory.counterfactual,
        *piloted,
        *(path for path in manifests if path.is_file()),
    )


def _shown(directory: StudyDirectory) -> tuple[Path, ...]:
    """The activations among them, which are read where there are no readings."""
    results = _outputs(directory, [f"analyses.{name}" for name in directory.config.analyses])
    further = (path for path in _outputs(directory, [AGREED, READINGS]) if path.is_file())
    return (*_analysed(directory), directory.compliance, *results, *further)


def _outputs(directory: StudyDirectory, stages: Iterable[str]) -> list[Path]:
    done = directory.ledger.read()["stages"]
    return [directory.root / name for stage in stages if stage in done for name in done[stage]["outputs"]]
