"""Capture: the numbers are Hugging Face's, and an interruption changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.positions import POSITIONS, token_indices
from if_circuits.activations.source import NOT_FINITE
from if_circuits.activations.store import ActivationStore
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add, ProjectOut
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences, stored
from tests.checkpoints import PAPER

SMALL_SHARD = 2 * 4 * 12 * 32 * 4  # two rows of four layers, twelve positions, d_model 32, float32


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


@pytest.mark.parametrize("architecture", PAPER)
def test_equals_hugging_face_at_every_layer_and_position(
    architecture: str,
    load: Callable[[str], LoadedModel],
    checkpoint: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    sequences = make_sequences()
    store = stored(load(architecture), sequences, path=tmp_path, batch_size=1)
    captured = {(i, p): store.read(i, p) for i in store.layers for p in store.positions}
    assert store.layers == (-1, 0, 1, 2) and store.positions == POSITIONS

    hf = AutoModelForCausalLM.from_pretrained(checkpoint(architecture), attn_implementation="eager").eval()
    last_block: list[torch.Tensor] = []
    hf.model.layers[-1].register_forward_hook(lambda _module, _inputs, output: last_block.append(output))
    for row, sequence in enumerate(sequences.to_dict("records")):
        ids = torch.tensor([sequence["prompt_tokens"] + sequence["response_tokens"]])
        with torch.no_grad():
            states = hf(ids, output_hidden_states=True).hidden_states
        # The last hidden state has passed the final norm: the last block's own output takes its place.
        states = (*states[:-1], last_block.pop())
        indices = token_indices(
            len(sequence["prompt_tokens"]), sequence["n_tokens"], truncated=sequence["truncated"]
        )
        for (layer, position), activations in captured.items():
            if indices[position] == -1:
                assert np.isnan(activations[row]).all()
            else:
                np.testing.assert_array_equal(activations[row], states[layer + 1][0, indices[position]])


def test_batch_size_and_neighbours_do_not_matter(model: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences(13, seed=1)
    alone = stored(model, sequences, path=tmp_path / "alone", batch_size=1)
    together = stored(model, sequences, path=tmp_path / "together", batch_size=13)
    for layer in alone.layers:
        for position in POSITIONS:
            np.testing.assert_allclose(
                alone.read(layer, position), together.read(layer, position), rtol=1e-5, atol=1e-5
            )


def test_rows_come_in_the_order_of_the_responses(llama: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences()
    backwards = sequences.iloc[::-1].reset_index(drop=True)
    store = stored(llama, sequences, path=tmp_path / "a", batch_size=3)
    reverse = stored(llama, backwards, path=tmp_path / "b", batch_size=3)
    assert store.response_ids == tuple(sequences["response_id"]) == reverse.response_ids[::-1]
    np.testing.assert_allclose(store.read(1, "last"), reverse.read(1, "last")[::-1], rtol=1e-5, atol=1e-5)


def test_absent_positions_are_nan_and_no_others(llama: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences()
    store = stored(llama, sequences, path=tmp_path, batch_size=4)
    np.testing.assert_array_equal(np.isnan(store.read(0, "eos")).all(axis=1), sequences["truncated"])
    np.testing.assert_array_equal(np.isnan(store.read(0, "50%")).all(axis=1), sequences["n_tokens"] == 0)
    assert not np.isnan(store.read(0, "prompt_end")).any()
    np.testing.assert_array_equal(
        np.isnan(store.read(0, "eos")).any(axis=1), store.token_indices("eos") == -1
    )


@pytest.mark.parametrize("stop_after", [4, 5])
def test_an_interrupted_capture_goes_on_and_ends_with_the_same_files(
    llama: LoadedModel, tmp_path: Path, stop_after: int
) -> None:
    sequences = make_sequences()

    def run(directory: Path, progress: Callable[[int, int], None] | None = None) -> None:
        stored(llama, sequences, path=directory, batch_size=1, shard_bytes=SMALL_SHARD, progress=progress)

    def interrupt(done: int, _total: int) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", interrupt)
    with pytest.raises(InputError, match=r"unfinished \(\d of 6 shards\)"):
        ActivationStore.open(tmp_path / "broken")

    seen: list[tuple[int, int]] = []
    run(tmp_path / "broken", lambda done, total: seen.append((done, total)))
    finished_before = (
        (stop_after - 1) // 2 * 2
    )  # the shard that was interrupted, after its last row, is done again
    assert seen == [(done, 11) for done in range(finished_before + 1, 12)]
    assert files_of(tmp_path / "whole") == files_of(tmp_path / "broken")


def test_a_finished_capture_is_not_done_again(llama: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences()
    stored(llama, sequences, path=tmp_path, batch_size=4)
    before = files_of(tmp_path)
    seen: list[int] = []
    stored(llama, sequences, path=tmp_path, batch_size=2, progress=lambda done, _: seen.append(done))
    assert not seen and files_of(tmp_path) == before


def test_only_what_is_damaged_is_captured_again(llama: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences()
    store = stored(llama, sequences, path=tmp_path, batch_size=2, shard_bytes=SMALL_SHARD)
    before = files_of(tmp_path)
    flipped = bytearray(before["shard-00001.safetensors"])
    flipped[-1] ^= 1
    (tmp_path / "shard-00001.safetensors").write_bytes(flipped)
    (tmp_path / "shard-00003.safetensors").unlink()
    (tmp_path / "index.parquet").write_bytes(b"")
    assert store.damaged_files() == ("shard-00001.safetensors", "shard-00003.safetensors", "index.parquet")

    seen: list[int] = []
    stored(
        llama, sequences, path=tmp_path, batch_size=2, shard_bytes=SMALL_SHARD,
        progress=lambda done, _: seen.append(done),
    )  # fmt: skip
    assert seen == [9, 11]
    assert files_of(tmp_path) == before


def test_another_capture_is_refused_and_left_alone(
    llama: LoadedModel, load: Callable[[str], LoadedModel], tmp_path: Path
) -> None:
    sequences = make_sequences()
    stored(llama, sequences, path=tmp_path, batch_size=4)
    before = files_of(tmp_path)
    others = sequences.assign(prompt_tokens=[[9, 9]] * len(sequences))
    for kwargs, difference in (
        ({"model": load("qwen2")}, "fingerprint"),
        ({"sequences": others}, "sequences"),
        ({"layers": (0, 1)}, r"layers is \(-1, 0, 1, 2\) instead of \(0, 1\)"),
        ({"dtype": "float16"}, "dtype"),
    ):
        arguments = {"model": llama, "sequences": sequences, **kwargs}
        with pytest.raises(InputError, match=f"another capture of activations .*{difference}"):
            stored(**arguments, path=tmp_path, batch_size=4)
    assert files_of(tmp_path) == before


def test_shards_of_an_unknown_owner_are_refused_and_left_alone(llama: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "shard-00000.safetensors").write_text("precious")
    with pytest.raises(InputError, match="holds shard-00000.safetensors but no manifest.json"):
        stored(llama, make_sequences(), path=tmp_path, batch_size=4)
    assert files_of(tmp_path) == {"shard-00000.safetensors": b"precious"}


def test_float16_is_recorded_and_refused_where_it_overflows(
    llama: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequences = make_sequences()
    single = stored(llama, sequences, path=tmp_path / "32", batch_size=4)
    half = stored(llama, sequences, path=tmp_path / "16", batch_size=4, dtype="float16")
    assert json.loads((tmp_path / "16" / "manifest.json").read_text())["key"]["dtype"] == "float16"
    assert half.read(1, "last").dtype == np.float32
    np.testing.assert_array_equal(half.read(1, "last"), single.read(1, "last").astype(np.float16))

    embedding = llama.hf.get_input_embeddings().weight
    monkeypatch.setattr(embedding, "data", embedding.data * 1e6)
    with pytest.raises(InputError, match=r"layer -1 reach .* float16 cannot hold: store them as float32"):
        stored(llama, sequences, path=tmp_path / "big", batch_size=4, dtype="float16")
    assert sorted(path.name for path in (tmp_path / "big").iterdir()) == ["index.parquet", "manifest.json"]


def test_chosen_layers_alone_are_captured(llama: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences()
    everything = stored(llama, sequences, path=tmp_path / "all", batch_size=4)
    some = stored(llama, sequences, path=tmp_path / "some", batch_size=4, layers=(1, -1))
    assert some.layers == (-1, 1) and some.n_layers == 3
    np.testing.assert_array_equal(some.read(1, "last"), everything.read(1, "last"))
    with pytest.raises(InputError, match="no activations of layer 0 at 'last'"):
        some.read(0, "last")


@pytest.mark.parametrize("layers", [(3,), (-2, 0)])
def test_layers_that_do_not_exist_are_named(
    llama: LoadedModel, tmp_path: Path, layers: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match="do not fit a model of 3 blocks: -1 to 2 exist"):
        stored(llama, make_sequences(), path=tmp_path, batch_size=4, layers=layers)


def test_no_layer_at_all_is_refused(llama: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"layers is \(\); give a layer or a list of layers"):
        stored(llama, make_sequences(), path=tmp_path, batch_size=4, layers=())


def test_a_capture_under_an_intervention_shows_the_intervened_stream(
    llama: LoadedModel, tmp_path: Path
) -> None:
    sequences = make_sequences()
    rng = np.random.default_rng(0)
    subspace = Subspace.orthonormalise(rng.normal(size=(3, 32)), name="random", mean=rng.normal(size=32))
    removal = Intervention(ProjectOut(subspace), layers=(1,), scope=Scope(generated=True))
    plain = stored(llama, sequences, path=tmp_path / "plain", batch_size=4)
    removed = stored(llama, sequences, path=tmp_path / "removed", batch_size=4, interventions=[removal])
    np.testing.assert_array_equal(removed.read(0, "last"), plain.read(0, "last"))
    for position in ("prompt_end", "50%", "last"):
        np.testing.assert_allclose(
            removed.read(1, position), subspace.remove(plain.read(1, position)), rtol=1e-4, atol=1e-5
        )
    later = sequences["n_tokens"].to_numpy() > 0
    assert np.abs(removed.read(2, "last") - plain.read(2, "last"))[later].max() > 0.1

    again = Intervention(ProjectOut(subspace, alpha=2.0), layers=(1,), scope=Scope(generated=True))
    with pytest.raises(InputError, match="interventions"):
        stored(llama, sequences, path=tmp_path / "removed", batch_size=4, interventions=[again])


def test_responses_that_overflow_are_named_and_undecided(llama: LoadedModel, tmp_path: Path) -> None:
    sequences = make_sequences().assign(verdict="satisfied", reason="yes", base_query="river")
    reaches = 12  # a token that only some of the sequences have
    flood = Add(np.full(llama.d_model, 1e38), multiple=100.0, name="flood")
    scope = Scope(prompt=True, generated=True, positions=(reaches, reaches + 1))
    store = stored(
        llama,
        sequences,
        path=tmp_path,
        batch_size=4,
        interventions=[Intervention(flood, layers=(0,), scope=scope)],
    )
    tokens = zip(sequences.prompt_tokens, sequences.response_tokens, strict=True)
    lengths = [len(prompt) + len(response) for prompt, response in tokens]
    broken = [name for name, n in zip(sequences.response_id, lengths, strict=True) if n > reaches]
    assert 0 < len(broken) < len(sequences)
    assert sorted(store.not_finite) == sorted(broken)
    assert ActivationStore.open(tmp_path).not_finite == store.not_finite

    seen = CapturedActivations(sequences, store).responses.set_index("response_id")
    assert (seen.loc[broken, "verdict"] == "undecided").all()
    assert set(seen.loc[broken, "reason"]) == {NOT_FINITE}
    assert (seen.drop(broken)["verdict"] == "satisfied").all()
