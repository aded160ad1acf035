"""The manifest: a round trip, and whatever else may stand in the file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from if_circuits.activations.manifest import (
    CaptureKey,
    Manifest,
    ShardEntry,
    differences,
    read_manifest,
    write_manifest,
)
from if_circuits.activations.positions import POSITIONS
from if_circuits.errors import InputError

KEY = CaptureKey(
    model="m", fingerprint="f", compute_dtype="float32", device="cpu", attention="eager", settings="s",
    hooks=("a: b",), state="x", n_layers=3, d_model=4, layers=(-1, 2),
    positions=POSITIONS, dtype="float32", rows_per_shard=2, sequences="s", interventions="",
)  # fmt: skip
MANIFEST = Manifest(KEY, 3, "i", (ShardEntry("shard-00000.safetensors", 2, "a"),))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)


def test_round_trip(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST
    assert MANIFEST.n_shards == 2 and not MANIFEST.complete
    second = ShardEntry("shard-00001.safetensors", 1, "b")
    assert replace(MANIFEST, shards=(*MANIFEST.shards, second)).complete


@pytest.mark.parametrize(
    "name",
    [
        "../shard-00000.safetensors",
        "/etc/passwd",
        "..",
        "",
        "a/shard-00000.safetensors",
        "shard-00000.safetensors\n",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path, replace(MANIFEST, shards=(ShardEntry(name, 2, "a"),)))
    with pytest.raises(InputError, match="not the name of a shard"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "shard",
    [("shard-00000.safetensors", 1), ("shard-00002.safetensors", 2), ("shard-000001.safetensors", 1)],
)
def test_shards_that_contradict_the_rest_are_refused(tmp_path: Path, shard: tuple[str, int]) -> None:
    write_manifest(tmp_path, replace(MANIFEST, shards=(ShardEntry(*shard, "a"),)))
    with pytest.raises(InputError, match=f"{shard[0]} with {shard[1]} rows, which do not fit"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "another version"),
        ('{"format": 99}', "another version"),
        ('{"format": 3}', "damaged: KeyError"),
    ],
)
def test_what_is_no_manifest_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no activations"):
        read_manifest(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([*json.loads(json.dumps(MANIFEST.__dict__, default=vars)), *KEY.__dict__]),
    value=JSON,
)
def test_any_value_in_any_field_is_read_or_refused(tmp_path: Path, path: str, value: object) -> None:
    write_manifest(tmp_path, MANIFEST)
    raw = json.loads((tmp_path / "manifest.json").read_text())
    (raw["key"] if path in raw["key"] else raw)[path] = value
    (tmp_path / "manifest.json").write_text(json.dumps(raw))
    try:
        manifest = read_manifest(tmp_path)
    except InputError:
        return
    assert manifest.n_shards >= len(manifest.shards)


def test_differences_name_the_fields_but_not_a_renamed_model() -> None:
    assert differences(KEY, replace(KEY, model="the same by another name")) == ""
    assert differences(KEY, replace(KEY, fingerprint="g", d_model=5)) == (
        "fingerprint is 'f' instead of 'g', d_model is 4 instead of 5"
    )
