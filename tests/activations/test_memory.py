"""Activations in memory: the same numbers as on disk, and what can be asked of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.capture import capture
from if_circuits.activations.positions import POSITIONS
from if_circuits.activations.source import NOT_FINITE, ActivationSource
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add
from if_circuits.interventions.scope import Scope
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences, stored

ROWS = make_sequences(8)
VERDICTS = [
    "satisfied",
    "violated",
    "undecided",
    "satisfied",
    "violated",
    "satisfied",
    "violated",
    "satisfied",
]
LABELLED = ROWS.assign(verdict=VERDICTS, base_query=[*"aabbccdd"])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_memory_and_disk_hold_the_same(llama: LoadedModel, tmp_path: Path, dtype: Any) -> None:
    live: ActivationSource = capture(llama, ROWS, layers=[2, -1], dtype=dtype)
    disk = capture(llama, ROWS, layers=[2, -1], dtype=dtype, path=tmp_path)
    assert (live.layers, live.positions, live.n_layers) == (disk.layers, disk.positions, 3)
    assert (live.layers, live.positions) == ((-1, 2), POSITIONS)
    for layer in live.layers:
        for position in POSITIONS:
            np.testing.assert_array_equal(live.features(layer, position), disk.features(layer, position))
            assert live.features(layer, position).dtype == np.float32
    np.testing.assert_array_equal(capture(llama, ROWS).store.token_indices("eos") == -1, ROWS["truncated"])


def test_layers_are_all_or_one_or_several(llama: LoadedModel) -> None:
    assert capture(llama, ROWS).layers == capture(llama, ROWS, layers=None).layers == (-1, 0, 1, 2)
    assert capture(llama, ROWS, layers=1).layers == (1,)
    with pytest.raises(InputError, match="no activations of layer 0 at 'last'"):
        capture(llama, ROWS, layers=1).features(0, "last")
    for wrong in ("last", 3, [0, 3], ["0"], []):
        with pytest.raises(InputError, match="layers"):
            capture(llama, ROWS, layers=wrong)  # type: ignore[arg-type]


def test_what_does_not_fit_into_memory_is_refused_before_the_model_runs(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    needed = 8 * 4 * 12 * 32 * 4
    with llama.bridge.hooks(fwd_hooks=[("blocks.0.hook_in", lambda *_, **__: ran.append(1))]):
        monkeypatch.setattr("if_circuits.activations.capture.free_memory", lambda _: needed)
        with pytest.raises(InputError, match="8 responses at 4 layers take .* give path= to stream"):
            capture(llama, ROWS)
        assert not ran
        monkeypatch.setattr("if_circuits.activations.capture.free_memory", lambda _: 2 * needed)
        capture(llama, ROWS)
        assert ran


@pytest.mark.parametrize("on_disk", [True, False])
def test_at_gives_the_decided_rows_that_have_the_position(
    llama: LoadedModel, tmp_path: Path, on_disk: bool
) -> None:
    captured = capture(llama, LABELLED, path=tmp_path if on_disk else None)
    found = captured.at(layer=1, position="eos")
    expected = [i for i in range(8) if VERDICTS[i] != "undecided" and not ROWS["truncated"][i]]
    assert found.rows.tolist() == expected
    np.testing.assert_array_equal(found.X, captured.features(1, "eos")[expected])
    assert found.labels.tolist() == [VERDICTS[i] == "satisfied" for i in expected]
    assert found.base_queries == tuple("aabbccdd"[i] for i in expected)
    assert len(set(found.groups.tolist())) == len(set(found.base_queries))
    assert (found.layer, found.position, found.fingerprint) == (1, "eos", llama.fingerprint)
    assert (
        repr(found)
        == f"ActivationsAt(layer 1, eos: {len(expected)} rows, {sum(found.labels)} satisfied, d 32)"
    )


def test_unconstrained_responses_were_asked_for_nothing_and_have_no_label(llama: LoadedModel) -> None:
    constrained = [True, False] * 4
    found = capture(llama, LABELLED.assign(constrained=constrained)).at(layer=0, position="prompt_end")
    assert found.rows.tolist() == [i for i in range(8) if constrained[i] and VERDICTS[i] != "undecided"]


def test_without_verdicts_there_are_features_and_an_error_that_says_what_is_missing(
    llama: LoadedModel,
) -> None:
    captured = capture(llama, ROWS)
    found = captured.at(layer=1, position="prompt_end")
    assert found.X.shape == (8, 32) and found.satisfied is None and found.base_queries is None
    with pytest.raises(InputError, match="no column verdict"):
        _ = found.labels
    with pytest.raises(InputError, match="no column base_query"):
        _ = found.groups
    with pytest.raises(InputError, match="no column base_query"):
        _ = captured.base_queries
    assert capture(llama, ROWS.drop(columns=[])).responses.equals(ROWS)


def test_numbers_that_overflow_are_undecided_in_memory_as_on_disk(llama: LoadedModel, tmp_path: Path) -> None:
    flood = Add(np.full(llama.d_model, 1e38), multiple=100.0, name="flood")
    scope = Scope(prompt=True, generated=True, positions=(12, 13))
    options: dict[str, Any] = {"interventions": [Intervention(flood, layers=(0,), scope=scope)]}
    live = capture(llama, LABELLED, **options)
    on_disk = stored(llama, LABELLED, path=tmp_path, **options)
    assert 0 < len(live.store.not_finite) < 8
    assert live.store.not_finite == on_disk.not_finite
    broken = live.responses["response_id"].isin(live.store.not_finite)
    assert set(live.responses.loc[broken, "reason"]) == {NOT_FINITE}


def test_what_is_kept_cannot_be_written_to(llama: LoadedModel) -> None:
    with pytest.raises(ValueError, match="read-only"):
        capture(llama, ROWS).features(0, "last")[0, 0] = 1.0


def test_rows_that_share_an_answer_have_the_same_activations(llama: LoadedModel) -> None:
    sequences = make_sequences(4)
    rows = pd.concat([sequences, sequences.iloc[[1, 3]]], ignore_index=True)
    rows = rows.assign(answer=rows["response_id"], response_id=[f"x{n}" for n in range(6)])
    told: list[int] = []
    shared = capture(llama, rows, layers=[1], progress=lambda done, _: told.append(done))
    alone = capture(llama, sequences, layers=[1])
    for position in ("prompt_end", "last"):
        both, one = shared.features(1, position), alone.features(1, position)
        assert np.array_equal(both, one[[0, 1, 2, 3, 1, 3]], equal_nan=True)
    assert told[-1] == 4
