"""Whole studies in a real object store: S3 as moto serves it, over a socket on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.io.remote import Remote
from if_circuits.study import Study, StudyConfig
from if_circuits.study.audit import audit
from tests.study.object_store import WRONG_KEY, ObjectStore, serving

pytest.importorskip("s3fs")
pytest.importorskip("moto")
pytestmark = [pytest.mark.enable_socket, pytest.mark.slow]

URL = "s3://bucket/runs/study"
TIMED = {"study.json", "report.html", ".lock"}
"""Files that state seconds or a process."""


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """The store, as the environment names it, with an empty bucket."""
    with pytest.MonkeyPatch.context() as patch, serving() as (store, address):
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        connect().mkdir("bucket")
        yield store
        connect()


def connect() -> Any:
    """A connection with the addresses and credentials of now; fsspec keeps the one that it has."""
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    return fsspec.filesystem("s3")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Go to a machine by its name: what it has in its cache is its own."""
    return lambda name: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


@pytest.fixture(scope="module")
def config(checkpoint: Callable[[str], Path]) -> StudyConfig:
    """A study of all stages in a few seconds."""
    return StudyConfig(
        model=str(checkpoint("llama")),
        suite="controlled",
        tasks=("word_count", "term_exclusion"),
        n_base_queries=6,
        prompts_per_query=1,
        max_new_tokens=8,
        greedy=False,
        analyses=("specificity",),
        settings=AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=3),
    )


@pytest.fixture(scope="module")
def local(config: StudyConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study on this machine."""
    out = tmp_path_factory.mktemp("studies") / "study"
    Study.run(config, out)
    return out


@pytest.fixture(scope="module")
def stages(
    store: ObjectStore, config: StudyConfig, tmp_path_factory: pytest.TempPathFactory
) -> list[list[str]]:
    """The study at the URL, stopped before its activations and gone on with by another machine; the stages
    that each of the two was at work on.
    """
    del store
    begun: list[list[str]] = [[], []]

    def first(stage: str, done: int, total: int) -> None:
        del done, total
        begun[0].append(stage)
        if stage == "activations":
            raise KeyboardInterrupt

    def second(stage: str, done: int, total: int) -> None:
        del done, total
        begun[1].append(stage)

    for number, progress in enumerate((first, second)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp(f"machine-{number}")))
            if number:
                Study.run(config, URL, progress=progress)
            else:
                with pytest.raises(KeyboardInterrupt):
                    Study.run(config, URL, progress=progress)
    return begun


def objects(url: str = URL) -> dict[str, bytes]:
    remote = Remote(url)
    return {name: remote.read(name) or b"" for name in remote.listing()}


def copied(name: str) -> str:
    """Another URL with the same objects, to be altered."""
    other = Remote(f"s3://bucket/copies/{name}")
    for path, content in objects().items():
        other.write(path, content)
    return other.url


def test_a_study_that_two_machines_made_is_that_of_one_byte_for_byte(stages: list[list[str]], local: Path):
    found = objects()
    here = {path.relative_to(local).as_posix(): path for path in local.rglob("*") if path.is_file()}
    assert set(found) == set(here) - {".lock"}
    for name in set(found) - TIMED:
        assert found[name] == here[name].read_bytes(), name
    assert "responses.constrained" in stages[0]
    assert not {"prompts", "responses.constrained", "verification", "compliance"} & set(stages[1])
    assert {"activations", "analyses.specificity"} <= set(stages[1])


@pytest.mark.usefixtures("stages")
def test_a_reader_fetches_the_bytes_that_it_reads(
    store: ObjectStore, local: Path, machine: Callable[[str], None]
):
    machine("reader")
    store.asked.clear()
    study = Study.open(URL)
    assert store.given("shard-") == 0
    assert store.given("generated/") == 0
    here = Study.open(local)
    assert study.compliance.equals(here.compliance)
    assert study.results["specificity"].table.equals(here.results["specificity"].table)
    source, same = study.activations, here.activations
    layer, position = source.layers[1], "last"
    np.testing.assert_array_equal(source.features(layer, position), same.features(layer, position))
    shards = list((local / "activations").glob("shard-*"))
    one = sum(path.stat().st_size for path in shards) / (len(source.layers) * len(source.positions))
    assert 0 < store.given("/activations/shard-") < 1.1 * one + 8192, "the tensor and the header"
    store.asked.clear()
    again = Study.open(URL).activations.features(layer, position)
    np.testing.assert_array_equal(again, same.features(layer, position))
    assert store.given("shard-") == 0
    assert store.given("parquet") == 0


@pytest.mark.usefixtures("stages")
def test_an_analysis_done_again_elsewhere_is_the_same_and_lies_there(
    local: Path, machine: Callable[[str], None], capsys: pytest.CaptureFixture[str]
):
    url = copied("analysed")
    machine("analyst")
    assert cli.main(["analyse", url]) == 0
    assert cli.main(["verify", url]) == 0
    assert "FAIL" not in capsys.readouterr().out
    found = objects(url)
    assert ".lock" not in found
    for path in (local / "results").iterdir():
        assert found[f"results/{path.name}"] == path.read_bytes()
    assert cli.main(["report", url]) == 0
    assert cli.main(["compare", url, str(local)]) == 0


@pytest.mark.usefixtures("stages")
def test_what_is_damaged_there_is_found_though_the_mirror_is_sound(
    config: StudyConfig, machine: Callable[[str], None], capsys: pytest.CaptureFixture[str]
):
    url = copied("damaged")
    machine("first")
    Study.open(url)
    shard = bytearray(Remote(url).read("activations/shard-00000.safetensors") or b"")
    shard[-1] ^= 1
    Remote(url).write("activations/shard-00000.safetensors", bytes(shard))
    Remote(url).write("results/specificity.parquet", b"damaged")
    Remote(url).remove(["prompts.parquet"])
    faults = [fault for finding in audit(url) for fault in finding.faults]
    for name, what in (
        ("activations/shard-00000.safetensors", "damaged"),
        ("results/specificity.parquet", "damaged"),
        ("prompts.parquet", "missing"),
    ):
        assert f"{name} is {what}" in faults
    machine("reader")
    assert cli.main(["report", url]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{url}/prompts.parquet is missing" in said
    Study.run(config, url)
    whole = objects()
    after = objects(url)
    for name in ("results/specificity.parquet", "prompts.parquet"):
        assert after[name] == whole[name]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.mark.usefixtures("store")
def test_a_store_that_refuses_is_told_in_one_line(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    machine("first")
    for command in (["run", "if-tiny", "--out"], ["analyse"], ["report"], ["verify"]):
        said = refused(capsys, *command, "s3://no-such-bucket/x")
        assert "s3://no-such-bucket/x cannot be listed (The specified bucket does not exist)" in said
        assert "check the URL, the credentials and the network" in said
    assert "there is no study in s3://bucket/nothing" in refused(capsys, "report", "s3://bucket/nothing")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", WRONG_KEY)
        connect()
        assert "The AWS Access Key Id you provided does not exist" in refused(capsys, "report", URL)
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        connect()
        assert "Unable to locate credentials" in refused(capsys, "report", URL)
    connect()


@pytest.mark.usefixtures("stages")
def test_a_study_in_use_elsewhere_is_refused_with_the_remedy(machine: Callable[[str], None]):
    url = copied("in use")
    held = {"token": "x", "host": "elsewhere", "process": 7, "heard": "2999-01-01T00:00:00+00:00"}
    Remote(url).write(".lock", json.dumps(held).encode())
    machine("second")
    with pytest.raises(InputError, match=f"{url} is in use by process 7 on elsewhere.*remove {url}/.lock"):
        Study.open(url).analyse()
    assert json.loads(Remote(url).read(".lock") or b"") == held
