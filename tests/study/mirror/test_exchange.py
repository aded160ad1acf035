"""What a mirror and its URL exchange, on files that stand for a study's, in a store in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from if_circuits.errors import InputError
from if_circuits.io.remote import Remote
from if_circuits.study.claim import Claim
from if_circuits.study.exchange import pull, push
from if_circuits.study.mirror import FETCHED, Mirror, place_name
from if_circuits.study.place import open_place
from tests.study.mirror.files import FILES, SHARDS, URL, finished, here, ours, there, unlike_the_record, write


def test_what_is_written_here_lies_there_under_the_same_names():
    root = open_place(URL, to_write=True)
    assert here(root) == {}
    finished(root)
    assert there() == here(root)
    assert set(there()) == {"study.json", *FILES}
    assert place_name(root) == URL
    assert root.name == "study"


def test_another_machine_gets_what_it_reads_and_one_that_goes_on_all_but_finished_shards(
    machine: Callable[[str], None],
):
    finished(open_place(URL, to_write=True))
    machine("reader")
    reader = open_place(URL)
    assert set(here(reader)) == {"study.json", *FILES} - {*SHARDS, "generated/constrained-0000.parquet"}
    machine("runner")
    runner = open_place(URL, to_write=True)
    assert set(here(runner)) == {"study.json", *FILES} - {*SHARDS}
    mirror = Mirror.of(URL)
    assert all(mirror.lies_there(name, sha256(b"shard").hexdigest()) for name in SHARDS)


def test_the_shards_of_an_unfinished_capture_come_to_the_machine_that_goes_on(machine: Callable[[str], None]):
    root = open_place(URL, to_write=True)
    write(root, FILES, recorded={"prompts.parquet": b"prompts"})
    push(Mirror.of(URL), ours)
    machine("runner")
    assert set(here(open_place(URL, to_write=True))) == {"study.json", *FILES}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_was_sent_before_it_was_recorded_is_named_once_it_is(
    machine: Callable[[str], None], elsewhere: bool
):
    root = open_place(URL, to_write=True)
    write(root, FILES, recorded={"prompts.parquet": b"prompts"})
    push(Mirror.of(URL), ours)
    if elsewhere:
        machine("runner")
        root = open_place(URL, to_write=True)
    write(root, {}, recorded=FILES)
    push(Mirror.of(URL), ours)
    assert there() == here(root)
    assert set(json.loads(there()["study.json"])["files"]) == set(FILES)
    assert Mirror.of(URL).untouched("study.json")


def test_only_what_has_changed_is_sent_and_what_was_given_up_is_removed(monkeypatch: pytest.MonkeyPatch):
    root = open_place(URL, to_write=True)
    at_work = {"at-work-analyses.specificity/a.parquet": b"part"}
    write(root, {**FILES, **at_work}, recorded=FILES)
    push(Mirror.of(URL), ours)
    sent: list[str] = []
    upload = Remote.upload
    monkeypatch.setattr(Remote, "upload", lambda self, files: [sent.extend(files), upload(self, files)])
    push(Mirror.of(URL), ours)
    assert sent == []
    (root / "at-work-analyses.specificity" / "a.parquet").unlink()
    write(root, FILES | {"results/specificity.parquet": b"found"})
    push(Mirror.of(URL), ours)
    assert "results/specificity.parquet" in sent
    assert there() == here(root)


def test_a_shard_that_is_only_there_is_no_shard_that_was_given_up(machine: Callable[[str], None]):
    finished(open_place(URL, to_write=True))
    machine("runner")
    root = open_place(URL, to_write=True)
    named = json.loads((root / "study.json").read_text())
    (root / "results" / "new.parquet").write_bytes(b"new")
    named["files"]["results/new.parquet"] = sha256(b"new").hexdigest()
    (root / "study.json").write_text(json.dumps(named))
    push(Mirror.of(URL), ours)
    assert set(SHARDS) <= set(there())
    assert unlike_the_record() == []
    assert json.loads(there()["study.json"]) == named


class Died(Exception):
    pass


def test_whenever_the_machine_dies_what_the_record_names_is_there_and_a_run_goes_on(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
):
    """The second version replaces files, adds one and removes one; it dies before each request in turn."""
    second = {name: content for name, content in FILES.items() if name != SHARDS[1]}
    second |= {"results/compliance.parquet": b"again", SHARDS[0]: b"other", "summary.json": b"new"}
    requests = [getattr(Remote, name) for name in ("write", "upload", "remove")]
    steps = 0
    for dies_at in range(20):
        empty()
        machine(f"machine-{dies_at}")
        root = open_place(URL, to_write=True)
        finished(root)
        (root / SHARDS[1]).unlink()
        write(root, second)
        claim = Claim.take(Remote(URL))
        replace(Mirror.of(URL), token=claim.token).save()
        count = 0

        def dying(request: Callable[..., None], at: int = dies_at) -> Callable[..., None]:
            def step(*given: object) -> None:
                nonlocal count
                if count == at:
                    raise Died
                count += 1
                request(*given)

            return step

        with monkeypatch.context() as patch:
            for request in requests:
                patch.setattr(Remote, request.__name__, dying(request))
            try:
                push(Mirror.of(URL), ours)
            except Died:
                steps += 1
        assert unlike_the_record() == [], dies_at
        open_place(URL, to_write=True)
        assert here(root)["results/compliance.parquet"] == b"again", "the work of this machine is kept"
        push(Mirror.of(URL), ours)
        objects = {name: content for name, content in there().items() if name != ".lock"}
        assert objects == here(root)
        if count < dies_at:
            break
    assert steps >= 4


def empty() -> None:
    remote = Remote(URL)
    remote.remove(list(remote.listing()))


def test_where_others_went_on_their_work_counts_and_nothing_stale_is_left(
    machine: Callable[[str], None], caplog: pytest.LogCaptureFixture
):
    root = open_place(URL, to_write=True)
    finished(root)
    kept = root / FETCHED / "activations"
    for capture in (sha256(b"manifest").hexdigest()[:16], "of another one"):
        (kept / capture).mkdir(parents=True)
    machine("second")
    other = open_place(URL, to_write=True)
    write(other, {**here(other), "results/compliance.parquet": b"other", SHARDS[0]: b"a", SHARDS[1]: b"b"})
    (other / "prompts.parquet").unlink()
    write(other, {n: c for n, c in here(other).items() if n != "study.json"})
    push(Mirror.of(URL), ours)

    machine("first")
    write(root, {"results/specificity.parquet": b"not uploaded"})
    assert open_place(URL) == root
    assert "what was not uploaded from here is dropped" in caplog.text
    assert here(root)["results/compliance.parquet"] == b"other"
    assert not {"prompts.parquet", "results/specificity.parquet", *SHARDS} & set(here(root))
    assert [path.name for path in kept.iterdir()] == [sha256(b"manifest").hexdigest()[:16]]


def test_work_that_was_not_uploaded_is_kept_where_nobody_else_went_on():
    root = open_place(URL, to_write=True)
    finished(root)
    write(root, {**FILES, "results/specificity.parquet": b"not uploaded"})
    open_place(URL, to_write=True)
    assert here(root)["results/specificity.parquet"] == b"not uploaded"
    push(Mirror.of(URL), ours)
    assert there() == here(root)


def test_a_study_that_was_removed_there_does_not_come_back():
    root = open_place(URL, to_write=True)
    finished(root)
    empty()
    open_place(URL, to_write=True)
    assert here(root) == {}


def test_a_mirror_whose_files_were_removed_is_filled_again():
    root = open_place(URL, to_write=True)
    finished(root)
    before = there()
    for path in list(here(root)):
        (root / path).unlink()
    open_place(URL, to_write=True)
    push(Mirror.of(URL), ours)
    assert there() == before


def test_a_missing_or_damaged_object_is_named_to_a_reader_and_left_to_a_run(machine: Callable[[str], None]):
    finished(open_place(URL, to_write=True))
    for content, said in ((None, "is missing"), (b"other", "is damaged")):
        Remote(URL).remove(["results/compliance.parquet"])
        if content is not None:
            Remote(URL).write("results/compliance.parquet", content)
        machine(f"reader of one that {said}")
        expected = f"^{URL}/results/compliance.parquet {said}; to make it again.* run if-tiny --out {URL}"
        for _ in range(2):
            with pytest.raises(InputError, match=expected):
                open_place(URL)
        machine(f"runner with one that {said}")
        root = open_place(URL, to_write=True)
        assert here(root).get("results/compliance.parquet") == content


def test_a_study_that_is_changed_while_it_is_read_is_not_called_damaged(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
):
    finished(open_place(URL, to_write=True))
    machine("reader")
    download = Remote.download

    def meanwhile(self: Remote, files: Mapping[str, Path]) -> None:
        self.write("results/compliance.parquet", b"other")
        download(self, files)

    monkeypatch.setattr(Remote, "download", meanwhile)
    with pytest.raises(InputError, match="was changed while it was read: try again"):
        open_place(URL)
    monkeypatch.setattr(Remote, "download", download)
    with pytest.raises(InputError, match="compliance.parquet is damaged"):
        open_place(URL)


def test_other_files_than_a_study_are_left_alone():
    Remote(URL).write("notes.txt", b"mine")
    with pytest.raises(InputError, match=f"{URL} holds files but no study"):
        open_place(URL, to_write=True)
    assert there() == {"notes.txt": b"mine"}


@pytest.mark.parametrize("name", ["../outside", "/outside", "results/../../outside", "results//outside"])
def test_no_object_leads_out_of_the_mirror(name: str, machine: Callable[[str], None], tmp_path: Path):
    finished(open_place(URL, to_write=True))
    before = there()
    from fsspec.implementations.memory import MemoryFileSystem

    stored = next(iter(MemoryFileSystem.store.values()))
    MemoryFileSystem.store[f"/store/runs/study/{name}"] = stored
    machine("reader")
    root = open_place(URL, to_write=True)
    assert set(here(root)) == set(before) - {*SHARDS}
    assert not list(tmp_path.rglob("outside"))


def test_a_folder_of_this_machine_is_no_mirror(tmp_path: Path):
    for place in (tmp_path / "x", str(tmp_path / "x"), f"file://{tmp_path}/x"):
        assert open_place(place) == tmp_path / "x"
    assert list(tmp_path.iterdir()) == []
    assert place_name(tmp_path) == str(tmp_path)


def test_a_url_made_a_path_is_refused_before_a_folder_of_that_name_is_made():
    with pytest.raises(InputError, match="give it as text"):
        open_place(Path("s3://bucket/x"))


def test_a_pull_by_hand_keeps_what_is_the_same(monkeypatch: pytest.MonkeyPatch):
    finished(open_place(URL, to_write=True))
    fetched: list[str] = []
    download = Remote.download
    monkeypatch.setattr(
        Remote, "download", lambda self, files: [fetched.extend(files), download(self, files)]
    )
    pull(Mirror.of(URL), to_write=True)
    assert fetched == []
