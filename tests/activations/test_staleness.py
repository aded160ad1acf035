"""What a capture on disk is a function of: each input is changed in turn, and nothing stale comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from if_circuits.activations.capture import capture
from if_circuits.activations.manifest import CaptureKey
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.interventions.operations import ProjectOut
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel, load_model
from tests.activations.sequences import make_sequences
from tests.models.bridges import boot, halve

ROWS = make_sequences(5)
REMOVAL = Intervention(
    ProjectOut(Subspace.orthonormalise(np.eye(32)[:2], name="two of the coordinates")), layers=(1,)
)


@pytest.fixture
def mine(checkpoint: Callable[[str], Path]) -> LoadedModel:
    """A model of this test alone, which it may alter."""
    bridge, tokenizer = boot(checkpoint("llama"))
    return load_model(bridge, tokenizer=tokenizer)


def hf(model: LoadedModel) -> Any:
    return model.hf


def one_weight(model: LoadedModel) -> None:
    hf(model).model.layers[0].mlp.down_proj.weight.data[3, 4] += 1e-3


def last_bit(model: LoadedModel) -> None:
    weight = hf(model).model.layers[0].mlp.down_proj.weight.data
    weight.view(torch.int32)[-1, -1] ^= 1


def swapped_rows(model: LoadedModel) -> None:
    """Sums, moments and sorted values stay as they were."""
    weight = hf(model).model.layers[1].mlp.up_proj.weight.data
    weight[[0, 1]] = weight[[1, 0]].clone()


def replaced_parameter(model: LoadedModel) -> None:
    projection = hf(model).model.layers[0].self_attn.o_proj
    projection.original_component.weight = torch.nn.Parameter(projection.weight.detach() * 1.5)


def buffer(model: LoadedModel) -> None:
    dict(hf(model).named_buffers())["model.rotary_emb._original_component.inv_freq"] *= 1.1


def epsilon(model: LoadedModel) -> None:
    hf(model).model.layers[0].input_layernorm.original_component.variance_epsilon = 0.5


def configuration(model: LoadedModel) -> None:
    hf(model).config.rms_norm_eps = 0.5


def precision(model: LoadedModel) -> None:
    hf(model).to(torch.bfloat16)


def attention(model: LoadedModel) -> None:
    hf(model).config._attn_implementation = "sdpa"


def template(model: LoadedModel) -> None:
    model.chat.tokenizer.chat_template += " "


@pytest.mark.parametrize(
    "change",
    [
        *(one_weight, last_bit, swapped_rows, replaced_parameter, buffer),
        *(epsilon, configuration, precision, attention, template),
    ],
)
def test_a_changed_model_gets_no_old_numbers(
    mine: LoadedModel, tmp_path: Path, change: Callable[[LoadedModel], None]
) -> None:
    before = capture(mine, ROWS, path=tmp_path).features(1, "last")
    change(mine)
    with pytest.raises(InputError, match="another capture of activations"):
        capture(mine, ROWS, path=tmp_path)
    elsewhere = capture(mine, ROWS, path=tmp_path / "elsewhere").features(1, "last")
    assert change not in (one_weight, swapped_rows, replaced_parameter, buffer, epsilon, precision) or (
        not np.array_equal(elsewhere, before, equal_nan=True)
    )


def test_the_same_model_in_training_mode_is_read_in_evaluation_mode(
    mine: LoadedModel, tmp_path: Path
) -> None:
    attention: Any = hf(mine).model.layers[0].self_attn
    attention.original_component.attention_dropout = 0.9
    before = capture(mine, ROWS, path=tmp_path).features(1, "last")
    hf(mine).train()
    mine.bridge.train()
    np.testing.assert_array_equal(capture(mine, ROWS).features(1, "last"), before)
    np.testing.assert_array_equal(capture(mine, ROWS, path=tmp_path).features(1, "last"), before)
    attention.original_component.attention_dropout = 0.0


@contextmanager
def on_a_point(model: LoadedModel):
    with model.bridge.hooks(fwd_hooks=[("blocks.0.hook_out", halve([]))]):
        yield


@contextmanager
def for_good(model: LoadedModel):
    model.bridge.add_hook("blocks.0.hook_out", halve([]), is_permanent=True)
    yield


@contextmanager
def after_a_module(model: LoadedModel):
    handle = hf(model).model.layers[0].mlp.register_forward_hook(lambda _m, _i, output: output / 2)
    yield
    handle.remove()


@contextmanager
def before_a_module(model: LoadedModel):
    handle = hf(model).model.layers[0].mlp.register_forward_pre_hook(lambda _m, args: (args[0] / 2,))
    yield
    handle.remove()


@contextmanager
def in_place_of_a_method(model: LoadedModel):
    mlp = hf(model).model.layers[0].mlp.original_component.act_fn
    intact = mlp.forward
    mlp.forward = lambda *args, **kwargs: intact(*args, **kwargs) / 2
    yield
    del mlp.forward


@contextmanager
def on_all_modules(model: LoadedModel):
    del model
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, _i, output: output / 2 if isinstance(module, torch.nn.Linear) else None
    )
    yield
    handle.remove()


@contextmanager
def by_this_library(model: LoadedModel):
    with intervene(model, [REMOVAL]):
        yield


HOOKS = (
    *(on_a_point, for_good, after_a_module, before_a_module, in_place_of_a_method),
    *(on_all_modules, by_this_library),
)


@pytest.mark.parametrize("hooked", HOOKS)
def test_a_hooked_model_gets_no_old_numbers_and_writes_none_without_a_name(
    mine: LoadedModel, tmp_path: Path, hooked: Callable[[LoadedModel], Any]
) -> None:
    before = capture(mine, ROWS, path=tmp_path / "plain").features(1, "last")
    with hooked(mine):
        with pytest.raises(InputError, match=r"hook\(s\) beside the capture's own .*name the state"):
            capture(mine, ROWS, path=tmp_path / "plain")
        with pytest.raises(InputError, match="name the state"):
            capture(mine, ROWS, path=tmp_path / "new")
        assert not (tmp_path / "new").exists()
        with pytest.raises(InputError, match="another capture of activations .*hooks is .*state is ''"):
            capture(mine, ROWS, path=tmp_path / "plain", state="changed")
        named = capture(mine, ROWS, path=tmp_path / "named", state="changed").features(1, "last")
        again = capture(mine, ROWS, path=tmp_path / "named", state="changed").features(1, "last")
        live = capture(mine, ROWS).features(1, "last")
        with pytest.raises(InputError, match="state is 'changed' instead of 'other'"):
            capture(mine, ROWS, path=tmp_path / "named", state="other")
    assert not np.array_equal(named, before, equal_nan=True)
    np.testing.assert_array_equal(named, again)
    np.testing.assert_array_equal(named, live)
    if hooked is not for_good:
        with pytest.raises(InputError, match="hooks is"):
            capture(mine, ROWS, path=tmp_path / "named", state="changed")


def other_tokens(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(prompt_tokens=[[9, 9]] * len(rows))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rows": ROWS.iloc[::-1]}, "sequences"),
        ({"rows": ROWS.iloc[:-1]}, "sequences"),
        ({"rows": ROWS.assign(response_id=[f"x{i}" for i in range(5)])}, "sequences"),
        ({"rows": other_tokens(ROWS)}, "sequences"),
        ({"layers": [0, 1]}, "layers"),
        ({"dtype": "float16"}, "dtype"),
        ({"interventions": [REMOVAL]}, "interventions"),
        ({"state": "named"}, "state"),
        ({"shard_bytes": 20000}, "rows_per_shard"),
    ],
)
def test_other_arguments_get_no_old_numbers(
    llama: LoadedModel, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    arguments: dict[str, Any] = {"rows": ROWS, "path": tmp_path}
    capture(llama, **arguments)
    with pytest.raises(InputError, match=f"another capture of activations .*{named} is"):
        capture(llama, **(arguments | change))


def test_what_has_no_say_in_the_numbers_is_no_reason_to_refuse(llama: LoadedModel, tmp_path: Path) -> None:
    first = capture(llama, ROWS, path=tmp_path, batch_size=1).features(1, "last")
    llama.chat.tokenizer("a text", truncation=True, max_length=2)
    again = capture(llama, ROWS, path=tmp_path, batch_size=5, layers="all").features(1, "last")
    np.testing.assert_array_equal(first, again)


def test_an_interrupted_capture_does_not_go_on_with_other_weights(mine: LoadedModel, tmp_path: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"path": tmp_path, "shard_bytes": 20000, "batch_size": 1}
    with pytest.raises(KeyboardInterrupt):
        capture(mine, ROWS, **options, progress=interrupt)
    one_weight(mine)
    with pytest.raises(InputError, match="fingerprint is"):
        capture(mine, ROWS, **options)


@pytest.mark.parametrize("name", [each.name for each in fields(CaptureKey) if each.name != "model"])
def test_every_part_of_a_key_counts_what_lies_there_of_another_is_refused(
    llama: LoadedModel, tmp_path: Path, name: str
) -> None:
    """As if another version, another machine or another model had written it."""
    capture(llama, ROWS, path=tmp_path)
    written = tmp_path / "manifest.json"
    manifest = json.loads(written.read_text())
    was = manifest["key"][name]
    if name == "dtype":
        other: object = "float16"
    elif isinstance(was, list):
        other = was[:-1] or ["a hook: mine"]
    else:
        other = 99 if isinstance(was, int) else f"{was}x"
    manifest["key"][name] = other
    written.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=f"another capture of activations .*{name} is"):
        capture(llama, ROWS, path=tmp_path)
