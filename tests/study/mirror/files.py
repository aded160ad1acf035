"""Files that stand for a study's, in a mirror and in a store in memory."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from if_circuits.io.remote import Remote
from if_circuits.study.exchange import push
from if_circuits.study.mirror import Mirror

URL = "memory://store/runs/study"
SHARDS = "activations/shard-00000.safetensors", "activations/shard-00001.safetensors"
FILES = {
    "prompts.parquet": b"prompts",
    "generated/constrained-0000.parquet": b"generated",
    "results/compliance.parquet": b"compliance",
    "activations/manifest.json": b"manifest",
    **dict.fromkeys(SHARDS, b"shard"),
}
"""Of a study of which all is finished."""


def write(root: Path, files: dict[str, bytes], *, recorded: dict[str, bytes] | None = None) -> None:
    """Write files, and a record that names them, or others."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    named = {
        name: sha256(content).hexdigest()
        for name, content in (files if recorded is None else recorded).items()
    }
    (root / "study.json").write_text(json.dumps({"config": {"model": "if-tiny"}, "files": named}))


def here(root: Path) -> dict[str, bytes]:
    return {
        name: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not (name := path.relative_to(root).as_posix()).startswith(".")
    }


def there() -> dict[str, bytes]:
    remote = Remote(URL)
    return {name: remote.read(name) or b"" for name in remote.listing()}


def unlike_the_record() -> list[str]:
    """What the record at the URL names and is not there as it says."""
    objects = there()
    named = json.loads(objects["study.json"])["files"] if "study.json" in objects else {}
    return [name for name, digest in named.items() if sha256(objects.get(name, b"")).hexdigest() != digest]


def ours() -> None:
    """As the holder of the URL."""


def finished(root: Path) -> None:
    write(root, FILES)
    push(Mirror.of(URL), ours)
