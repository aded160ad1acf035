"""What each stage of a study is a function of, beside the files that it reads.

A key names every part, so that a study that goes on can say which one has changed. Its values are digests of
code (`io.code`) and of values. The model is no part: a study of other weights is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.activations.plan import plan_capture
from if_circuits.activations.store import ActivationStore
from if_circuits.analyses.base import get_analysis
from if_circuits.analyses.compliance.analysis import compliance_table
from if_circuits.analyses.compliance.figure import compliance_figure
from if_circuits.analyses.compliance.pilot_figure import pilot_figure
from if_circuits.analyses.shared.task_subspaces import DEFAULT_ERASURE
from if_circuits.erasure.base import erasure_methods
from if_circuits.generation import responses as generation
from if_circuits.generation import shared_answers
from if_circuits.generation.sampling import sampled
from if_circuits.io.code import code_digest
from if_circuits.io.digest import value_sha256
from if_circuits.models.fingerprint import fingerprint
from if_circuits.plotting import style
from if_circuits.probes.folds import grouped_folds
from if_circuits.report import page
from if_circuits.study import agreement, outlook, pilot, readings
from if_circuits.study.config import suite_of
from if_circuits.study.pilot_answers import answer_pilot
from if_circuits.tasks import counterfactual, ifeval, prompts, verification
from if_circuits.tasks.judges.base import Judge, JudgeWithFiles
from if_circuits.tasks.judges.choice import choose_judges, judge_names, second_judges
from if_circuits.tasks.judges.hugging_face import HuggingFaceJudge
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite
from if_circuits.tasks.verification import judged_properties, judges_for

if TYPE_CHECKING:
    from if_circuits.study.config import StudyConfig
    from if_circuits.study.directory import StudyDirectory
    from if_circuits.tasks.suites.suite import Grade
    from if_circuits.tasks.task import Task

Key = Mapping[str, str]

_DECIDES_NOTHING = ("errors", "registry", "models.presets", "models.checkpoint", "models.devices")
"""Modules that every other one imports and no result follows from; a preset's values are in the keys."""


def task_names(config: StudyConfig) -> list[str]:
    """The tasks of a study, which must all be known; of a file of prompts, those that it can have."""
    if config.prompts is not None and config.tasks is None:
        return [kind.task for kind in ifeval.KINDS.values()]
    return [task.name for task in get_tasks(config.tasks)]


class StageKeys:
    """The keys of one study's stages, from its record and the code as it is now."""

    def __init__(self, directory: StudyDirectory) -> None:
        self._directory = directory
        self._record: dict[str, Any] = directory.ledger.read()
        self._config = directory.config
        self._tasks = get_tasks(task_names(self._config))
        self._suite = get_suite(suite_of(self._config))
        self._judged = cache(self._judges)

    def of(self, stage: str) -> Key:
        """The key of a stage; what an analysis is made of under its own name.

        Raises InputError where a judge cannot be had, OSError where a table that decides it is missing.
        """
        kind, _, name = stage.partition(".")
        if stage == "activations":
            return self._activations(sampled(pd.read_parquet(self._directory.responses)))
        if stage == "activations.counterfactual":
            return self._activations(pd.read_parquet(self._directory.counterfactual))
        if stage == "pilot.responses":
            return {**self._asked(), **self._responses(), "the code that asks the pilot": _code(answer_pilot)}
        made: dict[str, Callable[[], Key]] = {
            "pilot": self._pilot,
            "prompts": self._prompts,
            "responses": self._responses,
            "verification": self._verification,
            "counterfactual": self._counterfactual,
            "compliance": self._compliance,
            "analyses": lambda: self._analysis(name),
            "agreed": self._agreed,
            "readings": self._readings,
            "closing": self._closing,
        }
        return made[kind]()

    def _prompts(self) -> Key:
        if self._config.prompts is not None:
            return {"the code that reads IFEval's format": _code(ifeval.read_ifeval)}
        return {
            **self._asked(),
            "the settings of the prompts": value_sha256(self._config.prompts_per_query),
            "the code that builds prompts": _code(prompts.build_prompts, skip=_of_suites),
        }

    def _asked(self) -> Key:
        """Base queries, and how each task is worded in each of its grades."""
        config, held_out = self._config, self._record["held_out_only"]
        return {
            **self._wordings(),
            **{
                f"what {task.name} draws": _code(task.draw, *(grade.draw for grade in grades))
                for task, grades in self._grades()
            },
            f"the base queries of the {self._suite.name} suite": value_sha256(
                (self._suite.queries, self._suite.held_out)
            ),
            "the settings of the base queries": value_sha256((config.n_base_queries, config.seed, held_out)),
        }

    def _wordings(self) -> Key:
        return {
            f"the wording of {task.name}": value_sha256(
                (task.name, task.family, task.request, task.paraphrases, *_worded(grades))
            )
            for task, grades in self._grades()
        }

    def _grades(self) -> list[tuple[Task, tuple[Grade, ...]]]:
        """Each task with the grades that the suite has of it; none for one that is only itself."""
        return [(task, self._suite.grades.get(task.name, ())) for task in self._tasks]

    def _pilot(self) -> Key:
        return {**self._verification(), "the rule of the pilot": _code(pilot.pilot_table)}

    def _responses(self) -> Key:
        config = self._config
        settings = (config.samples_per_prompt, config.seed, *self._generation())
        return {
            "the settings of generation": value_sha256(settings),
            "the code that generates": _code(generation.generate),
            **({"the code that shares answers": _code(shared_answers)} if self._suite.answered_once else {}),
            **({} if config.generator == "bridge" else {"what generates": config.generator}),
        }

    def _generation(self) -> tuple[object, ...]:
        usual = self._directory.run_settings
        return (usual.max_new_tokens, usual.temperature, usual.top_p, self._record["model"]["dtype"])

    def _verification(self) -> Key:
        return {
            **{f"the verifier of {task.name}": _code(task.verify, task.judge) for task in self._tasks},
            **self._judged(),
            "the code of verification": _code(verification.verify),
        }

    def _judges(self) -> Key:
        names, chosen = [task.name for task in self._tasks], self._directory.run_settings.judges
        called = judge_names(judged_properties(names), chosen)
        return {
            f"the judge of {what} ({called[what]})": _judge(judge)
            for what, judge in judges_for(names, chosen).items()
        }

    def _counterfactual(self) -> Key:
        config = self._config
        if config.prompts is not None:
            return {}
        settings = (config.seed, config.settings.seed, config.settings.n_folds)
        return {
            **self._verification(),
            **self._wordings(),
            **{f"the definition of {task.name}": _code(task, grades) for task, grades in self._grades()},
            f"the base queries of the {self._suite.name} suite": value_sha256(self._suite.queries),
            "the settings of the pairs": value_sha256(settings),
            "the code that pairs": _code(counterfactual.counterfactual_pairs, grouped_folds),
        }

    def _activations(self, rows: pd.DataFrame) -> Key:
        layers, stored = self._directory.run_settings.layers, self._config.store_dtype or "float32"
        return {
            "the tokens that are read": plan_capture(rows).sha256() if len(rows) else "",
            "the layers that are read": value_sha256((layers, self._record["model"]["dtype"])),
            "the code that captures": _code(capture),
            # Keys without it are of studies from before there was a choice, which float32 leaves as they are.
            **({} if stored == "float32" else {"the precision of storage": stored}),
        }

    def _compliance(self) -> Key:
        settings = self._config.settings
        return {
            "the settings of the analyses": value_sha256((settings.n_bootstrap, settings.seed)),
            "the code of compliance": _code(compliance_table),
        }

    def _analysis(self, name: str) -> Key:
        settings = self._config.settings
        own = self._on_activations([name])
        if not get_analysis(name).uses_model:
            return own
        name = settings.erasure or DEFAULT_ERASURE
        erasure = {f"the erasure method {name}": _code(erasure_methods.get(name))}
        generated = {"the settings of generation": value_sha256(self._generation())}
        return {**own, **erasure, **generated, **self._verification()}

    def _on_activations(self, names: Sequence[str]) -> Key:
        return {
            "the settings of the analyses": value_sha256(self._config.settings),
            **{f"the code of {name}": analysis_code(name) for name in names},
            "the code that reads activations": _code(ActivationStore),
            "the code of the outlook": _code(outlook, skip=lambda module: module != outlook.__name__),
        }

    def _agreed(self) -> Key:
        second = second_judges(self._record["judges"])
        return {
            **self._on_activations([n for n in self._config.analyses if not get_analysis(n).uses_model]),
            **{
                f"the second judge of {what} ({second[what]})": _judge(judge)
                for what, judge in choose_judges(second, second.items()).items()
            },
            "the code of agreed labels": _code(agreement.find_agreement, skip=_of_analyses),
        }

    def _readings(self) -> Key:
        return {
            "the settings of the analyses": value_sha256(self._config.settings),
            "the code that reads activations": _code(ActivationStore),
            "the code that reads tokens": _code(readings.read_sample),
        }

    def _closing(self) -> Key:
        figures = [get_analysis(name).figure for name in self._config.analyses]
        package = files("if_circuits.report")
        shown = [
            (item.name, item.read_text("utf-8"))
            for folder in ("templates", "scripts", "styles")
            for item in sorted(package.joinpath(folder).iterdir(), key=lambda item: item.name)
        ]
        return {
            "the code of the figures": _code(*figures, compliance_figure, pilot_figure, style),
            "the code of the report": _code(page, readings.read_stored),
            "the templates, scripts and styles of the report": value_sha256(shown),
            "the calibration that is shown": _code(page.shipped_calibration()),
        }


def analysis_code(name: str) -> str:
    """Digest of the code that an analysis's numbers follow from; its figure is no part."""
    return _code(get_analysis(name).run, skip=lambda module: module.endswith("figure"))


def _code(*things: object, skip: Callable[[str], bool] = lambda _: False) -> str:
    return code_digest(*things, skip=lambda name: _decides_nothing(name) or skip(name))


def _decides_nothing(module: str) -> bool:
    return module.removeprefix("if_circuits.") in _DECIDES_NOTHING


def _worded(grades: tuple[Grade, ...]) -> list[object]:
    return [(grade.name, grade.paraphrases, _code(grade.request)) for grade in grades]


def _of_analyses(module: str) -> bool:
    """The analyses and the outlook, which count one by one."""
    return module.startswith("if_circuits.analyses.") or module == outlook.__name__


def _of_suites(module: str) -> bool:
    """Modules that hold the wordings of a suite, which count task by task."""
    return module.startswith("if_circuits.tasks.suites.") and not module.endswith(".suite")


def _judge(judge: Judge) -> str:
    if isinstance(judge, HuggingFaceJudge):
        weights = fingerprint(judge.model, judge.tokenizer)
        return value_sha256((judge.name, judge.labels, weights, _code(HuggingFaceJudge)))
    if isinstance(judge, JudgeWithFiles):  # what it computed from them may differ in the last bits
        return value_sha256((judge.name, _code(type(judge)), judge.files_digest()))
    return _code(judge)
