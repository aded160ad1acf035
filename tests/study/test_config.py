import json
from dataclasses import replace

import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.errors import InputError
from if_circuits.study import StudyConfig

CONFIG = StudyConfig(
    model="if-tiny", tasks=("topic", "register"), layers=(-1, 2), settings=AnalysisSettings(n_folds=3)
)


def test_survives_json():
    assert StudyConfig.from_json(json.loads(json.dumps(CONFIG.to_json()))) == CONFIG
    plain = StudyConfig(model="if-tiny")
    assert StudyConfig.from_json(plain.to_json()) == plain


def test_a_field_that_is_missing_or_unknown_is_named():
    values = CONFIG.to_json()
    del values["greedy"]
    with pytest.raises(InputError, match="greedy, spice"):
        StudyConfig.from_json({**values, "spice": 1})


def test_differences_name_the_field_and_both_values():
    other = replace(CONFIG, seed=1, settings=AnalysisSettings(n_folds=4))
    assert CONFIG.differences(other) == ["seed 0 against 1", "settings.n_folds 3 against 4"]


def test_a_study_from_before_there_was_a_choice_of_precision_is_read():
    values = CONFIG.to_json()
    del values["store_dtype"]
    assert StudyConfig.from_json(values) == replace(CONFIG, store_dtype="float32")


def test_batch_size_does_not_make_another_study():
    assert CONFIG.differences(replace(CONFIG, batch_size=3)) == []


@pytest.mark.parametrize(
    "values",
    [
        {"n_base_queries": 0},
        {"samples_per_prompt": -1},
        {"prompts_per_query": 0},
        {"max_new_tokens": 0},
        {"batch_size": 0},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"temperature": float("inf")},
        {"tasks": ()},
        {"analyses": ("vibes",)},
        {"store_dtype": "float64"},
    ],
    ids=str,
)
def test_impossible_values_are_refused_by_name(values: dict[str, object]):
    with pytest.raises(InputError, match=next(iter(values)).replace("analyses", "analysis")):
        StudyConfig(**{"model": "if-tiny", **values})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n_folds", [0, 1, 2])
def test_too_few_folds_are_refused_before_anything_is_generated(n_folds: int):
    with pytest.raises(InputError, match=f"n_folds is {n_folds}"):
        StudyConfig(model="if-tiny", settings=AnalysisSettings(n_folds=n_folds))
