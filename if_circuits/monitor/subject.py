"""The model with what a study says of it: probes, directions to remove and to steer along, judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from if_circuits.analyses.causal_ablation.response_directions import (
    ResponseDirections,
    fit_response_directions,
)
from if_circuits.analyses.shared.task_subspaces import chosen_erasure
from if_circuits.analyses.shared.token_probes import TokenProbes, fit_token_probes
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.models.settings import RunSettings
from if_circuits.monitor.probing import LiveProbes
from if_circuits.monitor.switches import Switches
from if_circuits.report.along import WORDS, calibration_columns
from if_circuits.report.numbers import num
from if_circuits.study.out_of_date import say_if_out_of_date
from if_circuits.tasks.judges.choice import usual_judges
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import judged_properties

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.study.study import Study


@dataclass(frozen=True, eq=False)
class Subject:
    """All that the monitor works with. Nothing in it changes while it runs."""

    model: LoadedModel
    run_settings: RunSettings
    probes: TokenProbes
    live: LiveProbes
    directions: ResponseDirections | None
    """None without a study, and where no task could be fitted."""
    reasons: Mapping[str, str] | None
    """Why tasks have no directions; None without a study."""
    start: int
    """The layer from which on directions are removed and added."""
    seed: int
    notes: tuple[str, ...] = ()
    """What the reader must know of these directions."""

    @property
    def ablatable(self) -> tuple[str, ...]:
        """Tasks whose directions can be removed and steered along."""
        return () if self.directions is None else tuple(self.directions.subspaces)

    def interventions(self, switches: Switches) -> list[Intervention]:
        """What is done to the model. Raises InputError where nothing was fitted for it."""
        if not switches.anything:
            return []
        if self.directions is None:
            raise InputError("there is no study to take directions from; give one with --study")
        found: list[Intervention] = []
        for task in switches.ablate:
            found += self.directions.removal(task, start=self.start)
        if switches.control:
            pool = next(iter(self.directions.pools(start=self.start)))
            draws = self.directions.controls(switches.control, pool, start=self.start, n=1, seed=self.seed)
            found += draws[0]
        if switches.steer and switches.strength:
            found += self.directions.addition(switches.steer, start=self.start, multiple=switches.strength)
        return found

    def to_json(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "model": self.model.name,
            "layers": list(self.live.layers),
            "tasks": list(self.live.tasks),
            "ablatable": list(self.ablatable),
            "start": self.start,
            "max_new_tokens": self.run_settings.max_new_tokens,
            "calibration": calibration_columns(self.probes.calibration),
            "aurocs": {
                f"{task} {WORDS if layer is None else layer}": num(value)
                for (task, layer), value in self.probes.aurocs.items()
            },
            "left_out": dict(self.probes.left_out),
            "notes": list(self.notes),
            "not_ablatable": {} if self.reasons is None else dict(self.reasons),
        }


def subject_of(model: LoadedModel, study: Study | None) -> Subject:
    """Fit all probes and directions of a study, or none.

    Raises InputError for a study of another model.
    """
    if study is None:
        nothing = TokenProbes((), {}, {}, pd.DataFrame(columns=["train_task", "layer"]), {}, {}, frozenset())
        judges = usual_judges(model.preset, judged_properties(task.name for task in get_tasks()))
        settings = RunSettings.of(model.preset, judges=judges)
        return Subject(model, settings, nothing, LiveProbes(nothing, model.device), None, None, 0, 0)
    if study.directory.ledger.read()["model"]["fingerprint"] != model.fingerprint:
        raise InputError(
            f"the study in {study.directory.place} is of other weights than {model.name}; name its own "
            "with --study"
        )
    say_if_out_of_date(study.directory)
    settings, source = study.config.settings, study.activations
    probes = fit_token_probes(source, settings)
    named = None if settings.erasure is None else chosen_erasure(settings)
    halves = fit_response_directions(source, method=named, seed=settings.seed)
    directions = max(halves, key=lambda half: len(half.subspaces))
    start = _start(study, directions)
    middle = directions.layers[len(directions.layers) // 2]
    return Subject(
        model,
        study.run_settings,
        probes,
        LiveProbes(probes, model.device),
        directions if directions.subspaces else None,
        directions.reasons,
        middle if start is None else start,
        settings.seed,
        () if start is not None else (_NO_START,),
    )


_NO_START = (
    "This study has no causal ablation yet, which chooses the layer to begin at: here it is the middle one "
    "of those captured, and no number says what a removal from there on does."
)


def _start(study: Study, directions: ResponseDirections) -> int | None:
    """Where the study's causal ablation begins for the same half; None where it was not done."""
    path = study.directory.table("causal_ablation", "removed")
    if path.is_file():
        rows = pd.read_parquet(path)
        rows = rows[rows["half"] == directions.half]
        if len(rows):
            return int(rows["layer"].min())
    return None
