"""The manifest of an activation store: what was captured, and the hash of every file that is finished."""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from if_circuits.activations.dtypes import StoredDtype
from if_circuits.errors import InputError
from if_circuits.io.durable import write_text

FORMAT = 3
"""Raised whenever a reader of the previous format would misread the files."""

MANIFEST_FILE = "manifest.json"
INDEX_FILE = "index.parquet"
_SHARD_NAME = re.compile(r"shard-([0-9]{5,9})\.safetensors")

_Kind = TypeVar("_Kind", str, int)


@dataclass(frozen=True)
class CaptureKey:
    """All that decides the content of a store: two captures with equal keys give the same files."""

    model: str
    """Name of the model, for people; the fingerprint is what identifies it."""
    fingerprint: str
    """Hash of the model's configuration, weights as they were, tokenizer and chat template."""
    compute_dtype: str
    device: str
    """Kind of device: another one rounds otherwise."""
    attention: str
    """How attention is computed, in the words of transformers."""
    settings: str
    """Hash of the plain attributes of the model's modules and of the bridge's switches."""
    hooks: tuple[str, ...]
    """Hooks that were on the model beside the capture's own, as "place: function"."""
    state: str
    """What the user calls the state of the model; it stands for what those hooks do."""
    n_layers: int
    """Blocks of the model, captured or not."""
    d_model: int
    layers: tuple[int, ...]
    positions: tuple[str, ...]
    dtype: StoredDtype
    """Type of the stored numbers."""
    rows_per_shard: int
    sequences: str
    """Hash of the response ids and tokens."""
    interventions: str
    """Hash of the interventions under which the responses were read; empty without any."""


@dataclass(frozen=True)
class ShardEntry:
    """One finished shard."""

    file: str
    rows: int
    sha256: str
    not_finite: tuple[int, ...] = ()
    """Rows of the shard with an infinite or undefined number at a position that they have."""


@dataclass(frozen=True)
class Manifest:
    """What a store holds so far."""

    key: CaptureKey
    n_rows: int
    index_sha256: str
    shards: tuple[ShardEntry, ...]
    """Finished shards in the order of their names; not necessarily all."""

    @property
    def n_shards(self) -> int:
        """Shards of the finished store."""
        return -(-self.n_rows // self.key.rows_per_shard)

    @property
    def complete(self) -> bool:
        """Whether every shard is finished."""
        return len(self.shards) == self.n_shards


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:05d}.safetensors"


def differences(found: CaptureKey, wanted: CaptureKey) -> str:
    """The fields in which two keys differ, for an error message; empty when they are equal."""
    return ", ".join(
        f"{field.name} is {getattr(found, field.name)!r} instead of {getattr(wanted, field.name)!r}"
        for field in fields(CaptureKey)
        if field.name != "model" and getattr(found, field.name) != getattr(wanted, field.name)
    )


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest, durably."""
    write_text(directory / MANIFEST_FILE, json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1) + "\n")


def read_manifest(directory: Path) -> Manifest:
    """Read and check the manifest of `directory`. Raises InputError when there is none or it cannot be
    used.
    """
    path = directory / MANIFEST_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{directory} holds no activations: {MANIFEST_FILE} is missing") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict) or cast("dict[str, Any]", raw).get("format") != FORMAT:
        raise InputError(
            f"{path} is not a manifest of format {FORMAT}: it was written by another version of if_circuits; "
            "capture into another directory"
        )
    try:
        manifest = _parse(cast("dict[str, Any]", raw))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error!r}") from error
    _check(manifest, path)
    return manifest


def _parse(raw: dict[str, Any]) -> Manifest:
    key: dict[str, Any] = raw["key"]
    texts = (
        *("model", "fingerprint", "compute_dtype", "device", "attention", "settings", "state"),
        *("dtype", "sequences", "interventions"),
    )
    counts = ("n_layers", "d_model", "rows_per_shard")
    plain: dict[str, Any] = {name: _typed(key[name], str) for name in texts}
    plain |= {name: _typed(key[name], int) for name in counts}
    return Manifest(
        key=CaptureKey(
            **plain,
            hooks=tuple(_typed(hook, str) for hook in key["hooks"]),
            layers=tuple(_typed(layer, int) for layer in key["layers"]),
            positions=tuple(_typed(position, str) for position in key["positions"]),
        ),
        n_rows=_typed(raw["n_rows"], int),
        index_sha256=_typed(raw["index_sha256"], str),
        shards=tuple(
            ShardEntry(
                _typed(s["file"], str),
                _typed(s["rows"], int),
                _typed(s["sha256"], str),
                tuple(_typed(row, int) for row in s["not_finite"]),
            )
            for s in raw["shards"]
        ),
    )


def _typed(value: object, kind: type[_Kind]) -> _Kind:
    # type(), because a bool is an int to isinstance.
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return cast(_Kind, value)


def _check(manifest: Manifest, path: Path) -> None:
    """Refuse contradictions, and names that are not shards': no manifest leads out of its directory."""
    key = manifest.key
    if key.dtype not in get_args(StoredDtype):
        raise InputError(
            f"{path} gives dtype {key.dtype!r}; expected one of {', '.join(get_args(StoredDtype))}"
        )
    if min(key.rows_per_shard, key.d_model, key.n_layers, manifest.n_rows) < 1:
        raise InputError(f"{path} gives a count below 1")
    numbers: set[int] = set()
    for shard in manifest.shards:
        name = _SHARD_NAME.fullmatch(shard.file)
        if name is None:
            raise InputError(f"{path} names {shard.file!r}, which is not the name of a shard beside it")
        number = int(name[1])
        rows = min(key.rows_per_shard, manifest.n_rows - number * key.rows_per_shard)
        if not all(0 <= row < rows for row in shard.not_finite):
            raise InputError(f"{path} lists rows of {shard.file} that it does not have")
        if number in numbers or shard_name(number) != shard.file or shard.rows != rows:
            raise InputError(f"{path} lists {shard.file} with {shard.rows} rows, which do not fit the others")
        numbers.add(number)
