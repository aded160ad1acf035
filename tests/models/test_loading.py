import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from if_circuits.errors import InputError
from if_circuits.models import loading, places
from if_circuits.models.devices import only_device
from if_circuits.models.layers import EMBED, hook_name
from if_circuits.models.loading import LoadedModel, load_model
from tests.checkpoints import ARCHITECTURES, load_plain


@pytest.fixture
def directory(checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint("llama"), tmp_path / "copy"))


EXACT = ("llama", "qwen2", "gemma2", "gpt_neox")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_residual_streams_equal_hugging_faces_at_every_layer(
    load: Callable[[str], LoadedModel], architecture: str
) -> None:
    """Bit for bit, or within rounding where TransformerLens splits fused QKV or computes attention itself:
    no further from float64 than twice Hugging Face's own distance."""
    model = load(architecture)
    (ids,) = model.chat.encode(["Write a short note about the river and the coach in a formal tone."])
    expected = plain_streams(load_plain(model.name), ids)
    exact = plain_streams(load_plain(model.name).double(), ids)
    names = [hook_name(layer) for layer in range(EMBED, model.n_layers)]
    with torch.no_grad():
        logits, cache = model.bridge.run_with_cache(torch.tensor([ids]), names_filter=names)
    found = [*(cache[name] for name in names), logits]
    assert len(found) == len(expected) == model.n_layers + 2
    for name, ours, theirs, truth in zip([*names, "logits"], found, expected, exact, strict=True):
        if architecture in EXACT:
            assert torch.equal(ours, theirs), name
        assert (ours - truth).abs().max() <= 2 * (theirs - truth).abs().max(), name


def plain_streams(plain: Any, ids: list[int]) -> list[torch.Tensor]:
    """The residual stream at embed and after each block, then the logits, of a plain Hugging Face model."""
    last: list[Any] = []
    blocks = next(m for m in plain.base_model.children() if isinstance(m, torch.nn.ModuleList))
    blocks[-1].register_forward_hook(lambda _module, _inputs, output: last.append(output))
    with torch.no_grad():
        output = plain(torch.tensor([ids]), output_hidden_states=True)
    # Hugging Face's last hidden state comes after the final norm, so the last block is read by a hook.
    final = last[0][0] if isinstance(last[0], tuple) else last[0]
    return [*output.hidden_states[:-1], final, output.logits]


def test_models_are_ready_to_be_read(model: LoadedModel) -> None:
    assert (model.n_layers, model.d_model, model.context_length) == (3, 32, 256)
    assert not model.hf.training
    assert not any(module.training for module in model.bridge.modules())
    assert not any(parameter.requires_grad for parameter in model.hf.parameters())
    assert {parameter.dtype for parameter in model.hf.parameters()} == {torch.float32}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_end_of_sequence_id_is_known_and_padding_may_be_one(
    load: Callable[[str], LoadedModel], architecture: str
) -> None:
    chat = load(architecture).chat
    one_token_for_all = architecture.startswith("gpt")
    assert chat.eos_ids == ((1,) if one_token_for_all else (1, 2))
    assert chat.pad_id == (1 if one_token_for_all else 3)


def test_the_tokenizer_is_the_directorys_own(model: LoadedModel) -> None:
    original = PreTrainedTokenizerFast.from_pretrained(model.name)
    # Decomposed, so that a normalizer which the files do not ask for would show.
    text = "Write cafe\u0301 2024!\n\n  isn't"
    assert model.chat.tokenizer(text)["input_ids"] == original(text)["input_ids"]
    assert model.chat.tokenizer.special_tokens_map == original.special_tokens_map
    assert model.chat.tokenizer.padding_side == original.padding_side


def test_a_system_role_is_found_out_where_no_preset_tells(load: Callable[[str], LoadedModel]) -> None:
    assert [load(name).preset.system_role for name in ("llama", "gemma2")] == [True, False]


def test_another_precision_is_loaded_on_request(llama: LoadedModel) -> None:
    loaded = load_model(llama.name, dtype="bfloat16")
    assert loaded.dtype == "bfloat16"
    assert {parameter.dtype for parameter in loaded.hf.parameters()} == {torch.bfloat16}


def test_an_unknown_precision_is_refused(llama: LoadedModel) -> None:
    with pytest.raises(InputError, match="float8"):
        load_model(llama.name, dtype="float8")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["./no-such-folder", "/no/such/folder", "~/no-such-folder", "a/b/c", ""])
def test_a_directory_that_does_not_exist_is_named_without_asking_the_hub(name: str) -> None:
    with pytest.raises(InputError, match="no directory .*if-tiny"):
        load_model(name)


def test_a_file_is_no_directory(llama: LoadedModel) -> None:
    with pytest.raises(InputError, match="is a file"):
        load_model(f"{llama.name}/config.json")


def test_a_hub_name_without_a_network_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="'nobody/no-such-model' cannot be loaded.*check the name") as error:
        load_model("nobody/no-such-model")
    assert "\n" not in str(error.value)


def test_an_installation_without_the_bundled_model_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "files", lambda _package: tmp_path)
    with pytest.raises(InputError, match="make train-if-tiny"):
        load_model("if-tiny")


def test_a_checkpoint_that_lacks_a_weight_is_refused_and_not_filled_at_random(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 .*layers\.1\.mlp\.up_proj"):
        load_model(str(directory))


def test_weights_of_another_shape_are_refused(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(str(directory))


def test_an_architecture_that_cannot_be_loaded_is_refused(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"model_type": "no-such-type"}))
    with pytest.raises(InputError, match="no-such-type"):
        load_model(str(directory))


def test_a_pad_token_is_chosen_where_the_tokenizer_has_none(directory: Path) -> None:
    config = json.loads((directory / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    assert load_model(str(directory)).chat.pad_id == 1


def test_accelerate_may_choose_the_device(llama: LoadedModel) -> None:
    """Without a GPU the choice is the CPU, and the model the same."""
    chosen = load_model(llama.name, device_map="auto")
    assert chosen.device_map == "auto" and llama.device_map is None
    assert chosen.device == ("cuda:0" if torch.cuda.is_available() else "cpu")
    assert chosen.fingerprint == llama.fingerprint
    row = torch.tensor(llama.chat.encode(["Hello."]))
    logits = chosen.hf(input_ids=row.to(chosen.device)).logits.cpu()
    torch.testing.assert_close(logits, llama.hf(input_ids=row).logits)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"device_map": "everywhere"}, "everywhere.*not one of auto"),
        ({"device_map": "auto", "device": "meta"}, "exclude each other"),
    ],
)
def test_a_device_map_is_one_that_is_known_and_stands_alone(
    llama: LoadedModel, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        load_model(llama.name, **options)  # type: ignore[arg-type]


def test_a_model_on_several_devices_or_on_disk_is_refused(llama: LoadedModel) -> None:
    plain = load_plain(llama.name)
    plain.model.layers[1].to("meta")
    with pytest.raises(InputError, match="left weights on disk"):
        only_device(plain)
    assert only_device(llama.hf) == "cpu"


@pytest.mark.parametrize("n_ctx", [64, 100, 256])
def test_without_a_preset_a_response_takes_at_most_half_of_the_context(directory: Path, n_ctx: int) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"max_position_embeddings": n_ctx}))
    assert load_model(str(directory)).preset.max_new_tokens == min(64, n_ctx // 2)


def test_a_plain_copy_has_no_hooks_and_says_the_same(llama: LoadedModel) -> None:
    row = torch.tensor(llama.chat.encode(["Hello."]))
    plain = loading.load_plain(llama)
    assert torch.equal(plain(input_ids=row).logits, llama.hf(input_ids=row).logits)
    assert not any("bridge" in type(module).__module__ for module in plain.modules())
