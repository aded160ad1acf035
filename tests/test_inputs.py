"""What users give is taken where its meaning is plain, and refused in one line elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.errors import InputError
from if_circuits.input_arrays import as_array, as_groups, as_labels, as_vector
from if_circuits.inputs import as_count, as_layers, as_names, as_number
from if_circuits.interventions.hooks import Intervention, as_interventions
from if_circuits.interventions.operations import Add, MeanReplace, ProjectOut, Zero
from if_circuits.probes.evaluate import out_of_fold
from if_circuits.study.config import StudyConfig

LAYERS = st.lists(st.integers(-1, 99), min_size=1, max_size=5)
VECTORS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8).filter(any)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.builds(object),
)  # fmt: skip


@given(LAYERS)
def test_layers_mean_the_same_in_every_form(layers: list[int]):
    forms = (layers, tuple(layers), np.array(layers), torch.tensor(layers), pd.Series(layers), iter(layers))
    assert {as_layers(form) for form in forms} == {tuple(layers)}
    assert as_layers(layers[0]) == as_layers(np.int64(layers[0])) == (layers[0],)


@given(VECTORS)
def test_vectors_mean_the_same_in_every_form(vector: list[float]):
    expected = np.array(vector)
    for form in (vector, tuple(vector), expected, torch.tensor(vector), pd.Series(vector)):
        assert np.array_equal(as_vector(form, "v"), expected)
    directions = [ProjectOut(form).subspace.basis for form in (expected, torch.tensor(vector))]  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(directions[0], directions[1], rtol=1e-15)
    assert np.allclose(directions[0][0] * np.linalg.norm(expected), expected)


@given(st.lists(st.booleans(), min_size=1))
def test_labels_mean_the_same_in_every_form(labels: list[bool]):
    words = ["satisfied" if label else "violated" for label in labels]
    forms = (labels, [int(label) for label in labels], words, np.array(words), pd.Series(words))
    for form in (*forms, torch.tensor(labels), pd.Series(labels), np.array(labels, dtype=float)):
        found = as_labels(form)
        assert found.dtype == np.bool_
        assert found.tolist() == labels


@given(st.integers(1, 10**9))
def test_whole_numbers_are_taken_as_such_whatever_their_type(n: int):
    assert as_count(n, "n") == as_count(np.int64(n), "n") == as_count(float(n), "n") == n
    assert type(as_count(float(n), "n")) is int


@pytest.mark.parametrize(
    "accept",
    [
        lambda value: as_count(value, "it"),
        lambda value: as_number(value, "it"),
        lambda value: as_names(value, "it"),
        lambda value: as_layers(value, "it"),
        lambda value: as_array(value, "it", shape="n d_model"),
        lambda value: as_vector(value, "it"),
        lambda value: as_labels(value, "it"),
        lambda value: as_groups(value, "it"),
        as_interventions,
        lambda value: ProjectOut(value),
        lambda value: Add(value, 1.0),
        lambda value: Intervention(Zero(np.ones(4)), layers=value),  # pyright: ignore[reportArgumentType]
        lambda value: StudyConfig("if-tiny", tasks=value, n_base_queries=10),
    ],
)
@given(value=ANYTHING)
def test_whatever_is_given_is_taken_or_refused_in_one_line(accept: Callable[[object], object], value: object):
    try:
        accept(value)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Add(np.ones(3), float("nan")), "multiple is nan; give a finite number"),
        (lambda: Add(np.array([1.0, np.nan]), 1.0), "1 of 2 numbers that are not finite"),
        (lambda: ProjectOut(np.zeros(3)), "length 0"),
        (lambda: ProjectOut("river"), "give numbers of shape"),
        (lambda: Intervention(ProjectOut, layers=3), "does an operation"),
        (lambda: Intervention(np.ones(3), layers=3), "does an operation"),
        (lambda: Intervention(Zero(np.ones(3)), layers="3"), "layers is '3'; give a layer"),
        (lambda: Intervention(Zero(np.ones(3)), layers=[]), r"layers is \[\]"),
        (lambda: Intervention(Zero(np.ones(3)), layers=3, scope="prompt"), "give a Scope"),
        (lambda: MeanReplace(np.ones(3), np.ones(4)), "needs shape"),
        (lambda: as_interventions([3]), "hold 3; give an Intervention"),
        (lambda: StudyConfig("if-tiny", n_base_queries=10.5), "n_base_queries is 10.5; give a whole number"),
        (lambda: StudyConfig("if-tiny", temperature=float("nan")), "temperature is nan"),
        (lambda: StudyConfig("if-tiny", tasks=3), "tasks is 3; give a name"),
        (lambda: as_labels(["satisfied", "undecided"]), "holds 'undecided'"),
        (lambda: out_of_fold(np.ones((4, 2)), [True], [1, 2, 3, 4], n_folds=2, seed=0), "4 rows, y 1"),
    ],
)
def test_the_message_says_what_was_given_and_what_to_give(call: Callable[[], object], message: str):
    with pytest.raises(InputError, match=message):
        call()


def test_what_is_plainly_meant_works_at_the_call():
    zero = Intervention(Zero(np.ones(4)), layers=3)  # pyright: ignore[reportArgumentType]
    assert zero.layers == (3,)
    assert as_interventions(zero) == (zero,)
    config = StudyConfig("if-tiny", tasks="json_format", analyses="specificity", layers=3)  # pyright: ignore[reportArgumentType]
    assert (config.tasks, config.analyses, config.layers) == (("json_format",), ("specificity",), (3,))
    assert StudyConfig("if-tiny", n_base_queries=10.0) == StudyConfig("if-tiny", n_base_queries=10)  # pyright: ignore[reportArgumentType]

    rng = np.random.default_rng(0)
    y = np.arange(60) % 2 == 0
    X = rng.standard_normal((60, 4)) + y[:, None]
    plain = out_of_fold(X, y, np.arange(60) // 3, n_folds=3, seed=0)
    frames = out_of_fold(
        pd.DataFrame(X), pd.Series(np.where(y, "satisfied", "violated")), pd.Series(np.arange(60) // 3),
        n_folds=3, seed=0,
    )  # fmt: skip  # pyright: ignore[reportArgumentType]
    assert np.array_equal(plain.scores, frames.scores)
    torches = out_of_fold(torch.tensor(X), torch.tensor(y), np.arange(60) // 3, n_folds=3, seed=0)  # pyright: ignore[reportArgumentType]
    assert np.array_equal(plain.scores, torches.scores)
