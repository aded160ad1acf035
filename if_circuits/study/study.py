"""A study: run it, or open one that was run, and look at what it found."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisResult, get_analysis
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.erasure.rehearsal import rehearse
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.study import closing
from if_circuits.study import pipeline as stages
from if_circuits.study.answering import generation_settings, make_responses
from if_circuits.study.budget import plan, sized_as
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.identity import (
    check_model,
    keep_settings,
    model_of,
    record_of,
    run_settings_of,
    store_dtype_of,
    study_at,
)
from if_circuits.study.keys import task_names
from if_circuits.study.lock import locked, uploaded
from if_circuits.study.order import AGREED, CLOSING, stage_names
from if_circuits.study.out_of_date import incomplete
from if_circuits.study.place import open_place
from if_circuits.study.prompting import make_prompts, run_pilot
from if_circuits.study.prospects import say_prospects
from if_circuits.study.remaining import telling_what_is_left
from if_circuits.study.space import check_space
from if_circuits.study.stage import StageProgress
from if_circuits.study.writing import check_generator, writer_of
from if_circuits.tasks.verification import check_judges

_logger = logging.getLogger(__name__)


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


@dataclass(frozen=True)
class Study:
    """A study in its directory. Tables are read from disk when they are asked for.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import if_circuits as ifc
        >>> config = ifc.StudyConfig("if-tiny", tasks="topic", n_base_queries=5, analyses=())
        >>> with TemporaryDirectory() as folder:
        ...     study = ifc.Study.run(config, folder)
        ...     len(study.prompts), study.compliance["task"].tolist()
        (30, ['topic'])
    """

    directory: StudyDirectory

    @classmethod
    def run(
        cls,
        config: StudyConfig,
        out: str | Path,
        *,
        budget: float | None = None,
        engine: Engine = IN_PROCESS,
        progress: StageProgress = _silent,
    ) -> "Study":
        """Run a study in the directory or at the URL `out`, or go on with it where it was stopped.

        What was made by other code or data than now is made again, and so are activations of which another
        `store_dtype` is asked for; a warning in the log says what, and why.

        With a `budget`, in seconds, the study is as large as is expected to fit into it on this machine
        (`study.budget`); one that goes on keeps the size that it began with.

        The `engine` carries out the units of the analyses; which one it is changes nothing that is found.

        Raises InputError when the configuration cannot be run, or when `out` holds anything but this study.
        """
        check_judges(task_names(config), config.judges)
        erasure = config.settings.erasure
        if erasure is not None and any(get_analysis(name).uses_model for name in config.analyses):
            rehearse(erasure)
        if config.prompts is None:
            config = replace(config, suite=suite_of(config))
        out = open_place(out, to_write=True)
        if budget is not None and (begun := StudyDirectory.find(out)) is not None:
            config = sized_as(config, begun.config)
        found = study_at(out, config)
        model = model_of(config)
        config = replace(config, store_dtype=store_dtype_of(config, model, found and found.config))
        run_settings = run_settings_of(config, model, found and found.run_settings)
        planned = None
        if budget is not None and found is None:
            planned = plan(config, model, run_settings, seconds=budget)
            _logger.warning("%s: %s", StudyDirectory(out).place, planned)
            config = planned.config
            run_settings = run_settings_of(config, model, run_settings)
        check_space(config, model, run_settings, out)
        if found is None:
            check_generator(config, model)
            stages.check_prompts(config, model, run_settings)
        with locked(out):
            directory = study_at(out, config) or StudyDirectory.create(
                out, record_of(config, model, run_settings)
            )
            check_model(directory, model)
            keep_settings(directory, config, run_settings)
            directory.ledger.update(held_out_only=model.preset.held_out_only)
            if planned is not None:
                directory.ledger.update(plan={"budget": budget, "seconds": dict(planned.seconds)})
            progress = telling_what_is_left(directory, progress)
            settings = generation_settings(config, run_settings, greedy=False)
            with writer_of(config) as write:
                run_pilot(directory, config, model, run_settings, settings, progress, engine, write=write)
                make_prompts(directory, config, model, progress)
                make_responses(directory, config, model, run_settings, progress, engine, write=write)
            stages.verify_responses(directory, run_settings, progress)
            stages.measure_compliance(directory, config, progress)
            say_prospects(directory)
            stages.pair_counterfactuals(directory, config, model, run_settings, progress)
            stages.capture_activations(directory, model, run_settings, progress, engine)
            stages.run_analyses(directory, config.analyses, lambda: model, run_settings, progress, engine)
            closing.repeat_on_agreed(directory, progress, engine)
            closing.make_readings(directory, model, progress)
            closing.close_study(directory, config, progress)
        return cls(directory)

    @classmethod
    def open(cls, directory: str | Path) -> "Study":
        """The study in a directory or at a URL. Raises InputError when there is none."""
        return cls(StudyDirectory.open(open_place(directory)))

    def analyse(
        self,
        names: Sequence[str] | None = None,
        *,
        engine: Engine = IN_PROCESS,
        progress: StageProgress = _silent,
    ) -> None:
        """Do the analyses again on what was captured, all or those named, and the report with them.

        The `engine` carries out their units of work.

        Raises InputError for an analysis that is not part of this study, and for a study without activations.
        """
        config = self.config
        names = config.analyses if names is None else names
        unknown = [name for name in names if name not in config.analyses]
        if unknown:
            raise InputError(
                f"{unknown[0]!r} is no analysis of this study; it has {', '.join(config.analyses)}"
            )
        if missing := incomplete(self.directory):
            raise InputError(
                f"{self.directory.place} has no complete activations ({missing}); go on with `if-circuits "
                f"run {config.model} --out {self.directory.place}` and the options that it was made with"
            )

        model = cache(self.load_model)
        with locked(self.directory.root):
            again = [name for name in (AGREED, CLOSING) if name in stage_names(config)]
            self.directory.ledger.mark_stale([*(f"analyses.{name}" for name in names), *again])
            stages.run_analyses(self.directory, config.analyses, model, self.run_settings, progress, engine)
            closing.repeat_on_agreed(self.directory, progress, engine)
            closing.close_study(self.directory, config, progress)

    def null(
        self,
        name: str,
        names: Sequence[str] | None = None,
        *,
        draws: int,
        engine: Engine = IN_PROCESS,
        progress: StageProgress = _silent,
    ) -> pd.DataFrame:
        """The verdicts where there is nothing to find, which the report's checklist then tells of.

        Args:
            name: `labels`: base queries exchange their labels. `untrained`: the model's weights are drawn
                anew, and read the same responses.
            names: Of the study's analyses; by default all that the null says something of.
            draws: How often.
            engine: Carries out the units of the analyses.
            progress: As of `run`.

        Returns:
            One row a draw and analysis, as `nulls.draws.null_verdicts` gives it.

        Raises:
            InputError: For another null, and an analysis that it says nothing of.
        """
        from if_circuits.study.nulls.choice import null_named
        from if_circuits.study.nulls.draws import null_verdicts

        null = null_named(name, self.directory, self.load_model)
        with locked(self.directory.root):
            table = null_verdicts(
                self.directory,
                null,
                names,
                draws=draws,
                engine=engine,
                progress=lambda done, total: progress(f"null of {name}", done, total),
            )
            self.directory.ledger.mark_stale([CLOSING])
            if closing.lacking(self.directory):
                closing.report_so_far(self.directory)
            else:
                closing.close_study(self.directory, self.config, progress)
        return table

    def load_model(self) -> LoadedModel:
        """The model that was studied. Raises InputError where it is not the same any more."""
        loaded = model_of(self.config)
        check_model(self.directory, loaded)
        return loaded

    def report(self) -> tuple[str, ...]:
        """Write the report of what is done so far, while a run is at work too; the analyses that it lacks.

        The run that finishes the study writes it anew. Raises InputError for a study without activations.
        """
        with uploaded(self.directory.root):
            return closing.report_so_far(self.directory)

    def verdicts(self) -> pd.DataFrame:
        """One row an analysis: analysis, verdict, effect, low, high, p, n (base queries)."""
        found = {name: result.verdict for name, result in self.results.items()}
        return pd.DataFrame(
            [
                (name, each.verdict, each.effect, *each.interval, each.p, each.n)
                for name, each in found.items()
            ],
            columns=["analysis", "verdict", "effect", "low", "high", "p", "n"],
        )

    def __repr__(self) -> str:
        return f"Study of {self.config.model} in {self.directory.place}"

    def _repr_html_(self) -> str:
        from if_circuits.plotting.html import page_html, table_html

        columns = ["task", "constrained", "unconstrained", "low", "high", "greedy", "n", "undecided", "note"]
        shown = self.compliance[columns].rename(columns={"low": "difference from", "high": "to"})
        tables = (table_html(table, index=False) for table in (shown, self.verdicts()))
        return page_html(repr(self), *tables, notes=[f"the report is {self.directory.report}"])

    @property
    def config(self) -> StudyConfig:
        """What the study was asked to do."""
        return self.directory.config

    @property
    def run_settings(self) -> RunSettings:
        """How the study runs its model."""
        return self.directory.run_settings

    @property
    def prompts(self) -> pd.DataFrame:
        """Constrained prompts and their unconstrained twins."""
        return pd.read_parquet(self.directory.prompts)

    @property
    def responses(self) -> pd.DataFrame:
        """All responses with their verdicts."""
        return pd.read_parquet(self.directory.responses)

    @property
    def compliance(self) -> pd.DataFrame:
        """How often each task's constraint is satisfied; see `analyses.compliance.analysis`."""
        return pd.read_parquet(self.directory.compliance)

    @property
    def activations(self) -> ActivationSource:
        """The sampled responses with their activations."""
        return stages.open_activations(self.directory)

    @property
    def results(self) -> dict[str, AnalysisResult]:
        """What each analysis found. Raises InputError when one was not done."""
        return {name: self.directory.read_result(name) for name in self.config.analyses}
