"""The effect of the precision of storage: of the activations that are given, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

from if_circuits.activations.capture import capture
from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.validation.precision_table import (
    StoredAs,
    auroc_differences,
    main,
    precision_markdown,
)
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences

N = 60
LABELLED = make_sequences(N).assign(
    task="word_count",
    family="structural",
    constrained=True,
    base_query=[f"query {i % 12}" for i in range(N)],
    prompt=[f"prompt {i % 12}" for i in range(N)],
    response=[f"response {i}" for i in range(N)],
    verdict=["satisfied" if i % 2 else "violated" for i in range(N)],
    reason="",
)


class FarOut(StoredAs):
    """Every number far from 0, where bfloat16 has steps of 256 and float32 of 1/256: rows read the same."""

    def read(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        return self.store.read(layer, position) + np.float32(195 * 256)


@pytest.fixture
def acts(llama: LoadedModel) -> CapturedActivations:
    return capture(llama, LABELLED, layers=[2])


def test_a_store_reads_as_one_that_was_captured_in_that_type(
    acts: CapturedActivations, llama: LoadedModel
) -> None:
    captured = capture(llama, LABELLED, layers=[2], dtype="bfloat16")
    for position in ("prompt_end", "last", "eos"):
        as_if = StoredAs(acts.store, "bfloat16").read(2, position)
        np.testing.assert_array_equal(as_if, captured.features(2, position))
    with pytest.raises(InputError, match="stored as bfloat16, .*: capture them as float32"):
        auroc_differences(captured)


def test_each_cell_is_compared_with_itself(acts: CapturedActivations) -> None:
    assert not auroc_differences(acts, ["float32"])["difference"].any()
    far = CapturedActivations(acts.responses, FarOut(acts.store, "float32"))
    found = auroc_differences(far, ["bfloat16"])
    assert set(found["layer"]) == {2} and not found.duplicated(["task", "layer", "position"]).any()
    assert (found["stored_auroc"] == 0.5).all()
    assert found["difference"].max() > 0
    gap = np.abs(found["auroc"] - found["stored_auroc"])
    np.testing.assert_array_equal(found["difference"], gap)
    line = precision_markdown([("small", far)]).splitlines()[-1]
    assert line.startswith(f"| small | bfloat16 | 2 | {gap.max():.4f} | `word_count`, layer 2, ")
    assert f"| {gap.mean():.5f} | {len(found)} |" in line


def test_what_is_no_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing"), str(tmp_path / "page.md")]) == 2
    assert "there is no study" in capsys.readouterr().err
