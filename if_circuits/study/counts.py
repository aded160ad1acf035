"""What a study asks of a model and of the probes, counted before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.causal_ablation.behaviour import PROMPTS_PER_TASK
from if_circuits.analyses.causal_ablation.both_ways import FAILING_PROMPTS, RANDOM_STEPS, SAMPLES
from if_circuits.analyses.causal_ablation.start_layer import CONTROLS_FOR_START, PROMPTS_FOR_START, STARTS
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.order import passes
from if_circuits.study.pilot_answers import N_QUERIES, UNCONSTRAINED_SAMPLES
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite


def pilot_answers(config: StudyConfig) -> int:
    """Answers of the pilot; 0 where there is none."""
    suite = get_suite(suite_of(config))
    if not suite.piloted:
        return 0
    grades = sum(len(suite.grades_of(task)) for task in get_tasks(config.tasks))
    return N_QUERIES * (grades + 3 * UNCONSTRAINED_SAMPLES)


def answers_by_pass(config: StudyConfig, n_tasks: int, n_queries: int) -> dict[str, int]:
    """Answers of each way through the prompts (`order.passes`).

    Where tasks share their requests, a base query has three at most.
    """
    asked = n_tasks * n_queries * config.prompts_per_query
    once = get_suite(suite_of(config)).answered_once
    unasked = 3 * n_queries if once else asked
    return {
        each.name: (asked if each.constrained else unasked)
        * (1 if each.greedy else config.samples_per_prompt)
        for each in passes(config)
    }


def answers(config: StudyConfig, n_tasks: int, n_queries: int) -> int:
    """Answers of a study, the pilot's and those of ablation left out."""
    return sum(answers_by_pass(config, n_tasks, n_queries).values())


def ablated_by_part(n_tasks: int, n_random: int) -> Mapping[str, int]:
    """Answers of each part of causal ablation, both halves together."""
    return {
        "matrix": 2 * n_tasks * PROMPTS_PER_TASK * (1 + n_tasks + 2 * n_random),
        "starts": 2 * n_tasks * PROMPTS_FOR_START * (1 + STARTS * (1 + CONTROLS_FOR_START)),
        "both ways": 2 * n_tasks * FAILING_PROMPTS * SAMPLES * (2 + RANDOM_STEPS),
    }


def ablated_answers(n_tasks: int, n_random: int) -> int:
    """Answers of causal ablation, both halves together: the matrix, the choice of its start, both ways."""
    return sum(ablated_by_part(n_tasks, n_random).values())


_CELLS: Mapping[str, tuple[float, float]] = {
    "specialist_vs_general": (2.2, 2.9),
    "cross_task_transfer": (0.2, 0.1),
    "layer_stratification": (0.5, 0.0),
    "temporal_dynamics": (1.0, 0.0),
}
"""What an analysis fits to labels of one kind, by layers and by positions, in cells: the specialists,
generals and probes of all tasks' rows at one layer and position. Measured on SmolLM2's study, six tasks and
11 layers: CPU seconds of each kind of unit over those of a cell. All others fit next to nothing."""


def cells(analyses: Sequence[str], n_layers: int) -> float:
    """Cells that the analyses fit, on both kinds of labels."""
    counted = [_CELLS[name] for name in analyses if name in _CELLS]
    return 2 * sum(layers * n_layers + positions * len(POSITIONS) for layers, positions in counted)
