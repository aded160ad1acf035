"""What is left of a study that was planned for a time: told after each kind of work, by its pace so far."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from if_circuits.study.budget import span
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.order import stage_names
from if_circuits.study.stage import StageProgress

_logger = logging.getLogger(__name__)

_BY_STAGE = {"analyses.causal_ablation": "ablation", "analyses.localisation": "localisation"}
_BY_KIND = {
    "pilot": "pilot",
    "responses": "responses",
    "activations": "activations",
    "analyses": "probes",
    "agreed": "probes",
}


def telling_what_is_left(directory: StudyDirectory, progress: StageProgress) -> StageProgress:
    """Log what is left of the time that the study was planned for, whenever a kind of work is done."""
    record = directory.ledger.read()
    if "plan" not in record:
        return progress
    said: set[str | None] = {None}

    def tell(stage: str, done: int, total: int) -> None:
        progress(stage, done, total)
        finished = directory.ledger.read()["stages"] if done == total else {}
        if stage not in finished or (work := work_of(stage)) in said:
            return
        names = stage_names(directory.config)
        if all(name in finished for name in names if work_of(name) == work):
            said.add(work)
            left = what_is_left(
                record["plan"]["seconds"], finished, names=names, budget=record["plan"]["budget"]
            )
            _logger.warning("%s: %s", directory.place, left)

    return tell


def work_of(stage: str) -> str | None:
    """The kind of work that a stage counts to, as a plan names it; None for what no plan counts."""
    return _BY_STAGE.get(stage) or _BY_KIND.get(stage.partition(".")[0])


def what_is_left(
    expected: Mapping[str, float], stages: Mapping[str, Any], *, names: Sequence[str], budget: float
) -> str:
    """One line: the time taken, and what is expected to come, as much off as what was done has been.

    Args:
        expected: Seconds by kind of work, as planned.
        stages: By name, those that are done, with their `seconds`.
        names: All stages of the study; those of a kind count alike.
        budget: Seconds that were given.
    """
    taken = sum(float(facts["seconds"]) for facts in stages.values())
    counted = {work: [name for name in names if work_of(name) == work] for work in expected}
    done = {
        work: sum(name in stages for name in of_kind) / len(of_kind)
        for work, of_kind in counted.items()
        if of_kind
    }
    so_far = sum(expected[work] * share for work, share in done.items())
    pace = taken / so_far if so_far else 1.0
    ahead = {work: pace * expected[work] * (1 - share) for work, share in done.items() if share < 1}
    said = f"{span(taken)} of {span(budget)} taken, {pace:.1f} times what was expected"
    if not ahead:
        return f"{said}; nothing planned is left"
    parts = ", ".join(f"{work} {span(seconds)}" for work, seconds in ahead.items())
    late = taken + sum(ahead.values()) - budget
    over = f"; {span(late)} more than was given" if late > 60 else ""
    return f"{said}; left at this pace: {parts}{over}"
