"""The same seed gives the same tables, whatever the batches that the model read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.study import Study
from tests.study.kill import configuration

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4
"""Of activations, relative to their largest: batches of other shapes are summed in another order."""


@pytest.fixture(scope="module")
def studies(
    checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Study, Study]:
    """One study twice with the same batches, and once with others."""
    config, root = configuration(checkpoint("llama")), tmp_path_factory.mktemp("same")
    small = replace(config, batch_size=5)
    return (
        Study.run(config, root / "first"),
        Study.run(config, root / "again"),
        Study.run(small, root / "small"),
    )


def tables(study: Study) -> dict[str, bytes]:
    return {
        str(path.relative_to(study.directory.root)): path.read_bytes()
        for path in study.directory.root.rglob("*")
        if path.suffix in (".parquet", ".safetensors")
    }


def test_the_same_study_twice_is_the_same_byte_for_byte(studies: tuple[Study, Study, Study]):
    first, again, _ = studies
    assert tables(first) == tables(again)


def test_batches_do_not_change_the_responses(studies: tuple[Study, Study, Study]):
    first, _, small = studies
    pd.testing.assert_frame_equal(first.responses, small.responses)


def test_batches_change_activations_by_rounding_alone(studies: tuple[Study, Study, Study]):
    first, _, small = studies
    for layer in first.activations.layers:
        one, other = (study.activations.features(layer, "last") for study in (first, small))
        np.testing.assert_allclose(one, other, atol=TOLERANCE * np.nanmax(np.abs(one)), rtol=0)


def test_batches_change_no_verdict(studies: tuple[Study, Study, Study]):
    first, _, small = studies
    for name, result in first.results.items():
        other = small.results[name].verdict
        assert (other.verdict, other.n) == (result.verdict.verdict, result.verdict.n)
        np.testing.assert_allclose(other.effect, result.verdict.effect, atol=0.02)
