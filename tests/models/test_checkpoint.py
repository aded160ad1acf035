import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from if_circuits.errors import InputError
from if_circuits.models.checkpoint import check_checkpoint


@pytest.fixture
def directory(checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint("llama"), tmp_path / "copy"))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def shard(path: Path) -> None:
    index = {"metadata": {}, "weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    path.rename(path.with_name("model-1-of-2.safetensors"))
    path.with_name("model.safetensors.index.json").write_text(json.dumps(index))


def test_a_saved_checkpoint_is_accepted(directory: Path) -> None:
    check_checkpoint(directory)


@pytest.mark.parametrize(
    ("file", "damage", "complaint"),
    [
        ("config.json", Path.unlink, r"config\.json is missing"),
        ("config.json", truncate, r"config\.json is not valid JSON"),
        ("config.json", lambda p: p.write_text("[]"), r"config\.json .* holds a list"),
        ("config.json", lambda p: p.write_text("{}"), "architecture is unknown"),
        ("tokenizer.json", Path.unlink, "no tokenizer"),
        ("model.safetensors", Path.unlink, "no weights"),
        ("model.safetensors", truncate, r"model\.safetensors .*truncated"),
        ("model.safetensors", lambda p: p.write_bytes(b""), r"model\.safetensors .*truncated"),
        ("model.safetensors", lambda p: p.write_text("version https://git-lfs"), "Git LFS pointer"),
        ("model.safetensors", shard, r"model-2-of-2\.safetensors is missing"),
    ],
)
def test_damage_is_named(
    directory: Path, file: str, damage: Callable[[Path], object], complaint: str
) -> None:
    damage(directory / file)
    with pytest.raises(InputError, match=complaint):
        check_checkpoint(directory)
