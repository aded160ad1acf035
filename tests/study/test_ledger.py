from pathlib import Path

import pytest

from if_circuits.errors import InputError
from if_circuits.study.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    created = Ledger(tmp_path)
    created.create({"seed": 4})
    return created


def write(ledger: Ledger, name: str, text: str) -> Path:
    path = ledger.root / name
    path.write_text(text)
    return path


KEY = {"the verifier": "as it was"}


def finish(ledger: Ledger, stage: str, inputs: list[Path], outputs: list[Path]) -> None:
    ledger.finish(stage, inputs=inputs, key=KEY, outputs=outputs, seconds=1.234, peak_memory_mb=99.6)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', "\x00\xff"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str):
    (tmp_path / "study.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"study\.json"):
        Ledger(tmp_path).read()


def test_a_stage_is_done_once_recorded(ledger: Ledger):
    output = write(ledger, "a", "half of it, from a run that was stopped")
    assert ledger.pending("one", [], KEY) == ""
    finish(ledger, "one", [], [output])
    assert ledger.pending("one", [], KEY) is None
    assert ledger.read()["stages"]["one"]["seconds"] == 1.23
    assert ledger.read()["seed"] == 4


@pytest.mark.parametrize(("damage", "named"), [(str.upper, "a is damaged"), (None, "a is missing")])
def test_a_changed_file_has_its_stage_done_again(ledger: Ledger, damage: object, named: str):
    output = write(ledger, "a", "content")
    finish(ledger, "one", [], [output])
    if callable(damage):
        output.write_text(str(damage(output.read_text())))
    else:
        output.unlink()
    assert ledger.pending("one", [], KEY) == named
    assert ledger.fault(output) == named


def test_what_was_asked_for_again_is_pending_without_a_fault(ledger: Ledger):
    finish(ledger, "one", [], [write(ledger, "a", "content")])
    ledger.mark_stale(["one", "two"])
    assert ledger.pending("one", [], KEY) == ""
    finish(ledger, "one", [], [ledger.root / "a"])
    assert ledger.pending("one", [], KEY) is None
    assert ledger.read()["stale"] == ["two"]


def test_only_a_different_result_reaches_the_stages_after_it(ledger: Ledger):
    first, second = write(ledger, "a", "content"), write(ledger, "b", "made of it")
    finish(ledger, "one", [], [first])
    finish(ledger, "two", [first], [second])
    finish(ledger, "one", [], [write(ledger, "a", "content")])
    assert ledger.pending("two", [first], KEY) is None
    finish(ledger, "one", [], [write(ledger, "a", "other content")])
    assert ledger.pending("two", [first], KEY) == "a has changed since"


def test_parts_of_an_unfinished_stage_are_kept(ledger: Ledger):
    part = write(ledger, "part", "content")
    assert ledger.fault(part) == "part was never finished"
    ledger.keep(part)
    assert ledger.fault(part) == ""


def test_another_key_has_the_stage_done_again_and_says_which_part_of_it(ledger: Ledger):
    finish(ledger, "one", [], [write(ledger, "a", "content")])
    assert ledger.pending("one", [], {"the verifier": "other"}) == "changed since: the verifier"
    assert ledger.pending("one", [], {**KEY, "the judge": "new"}) == "changed since: the judge"
    assert ledger.pending("one", [], {}) == "changed since: the verifier"


def test_an_unfinished_attempt_counts_only_while_nothing_that_decides_it_has_changed(ledger: Ledger):
    source, other = write(ledger, "a", "content"), {"the verifier": "other"}
    assert ledger.begun("one", inputs=[source], key=KEY) is None
    ledger.begin("one", inputs=[source], key=KEY)
    assert ledger.begun("one", inputs=[source], key=KEY) == ""
    for _ in range(2):  # it is to ask, not to begin, that counts for nothing
        assert ledger.begun("one", inputs=[source], key=other) == "changed since: the verifier"
    ledger.begin("one", inputs=[source], key=other)
    source.write_text("other content")
    assert ledger.begun("one", inputs=[source], key=other) == "changed since: a"


def test_what_a_stage_no_longer_writes_is_removed_unless_somebody_changed_it(ledger: Ledger):
    kept, gone, edited = (write(ledger, name, "content") for name in ("kept", "gone", "edited"))
    finish(ledger, "one", [], [kept, gone, edited])
    edited.write_text("mine now")
    finish(ledger, "one", [], [kept])
    assert kept.exists() and edited.read_text() == "mine now" and not gone.exists()
    assert set(ledger.read()["files"]) == {"kept"}
