"""Units in this process and in several: the same results in the same order, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import joblib
import pytest

from if_circuits.engine import processes
from if_circuits.engine.base import Engine
from if_circuits.engine.choice import open_engine
from if_circuits.engine.held import WithHeld
from if_circuits.engine.in_process import InProcess
from if_circuits.engine.processes import Processes
from if_circuits.errors import InputError
from tests.engine import units as work
from tests.engine.holds import Tenfold, times, times_or_dies
from tests.engine.units import Numbered

UNITS = [Numbered(number) for number in range(9)]


@pytest.fixture(scope="module")
def two() -> Iterator[Engine]:
    with open_engine(workers=2) as engine:
        yield engine


@pytest.fixture(params=["one", "two"])
def engine(request: pytest.FixtureRequest, two: Engine) -> Engine:
    return InProcess() if request.param == "one" else two


def test_results_come_in_the_order_of_the_units_and_progress_counts_them(engine: Engine):
    told: list[tuple[int, int]] = []
    found = list(engine.map(work.drawn, UNITS, progress=lambda *step: told.append(step)))
    assert found == [work.drawn(unit) for unit in UNITS]
    assert told == [(done, len(UNITS)) for done in range(1, len(UNITS) + 1)]


def test_each_unit_is_handed_over_with_its_place(engine: Engine):
    assert dict(engine.completed(work.drawn, UNITS)) == {
        place: work.drawn(unit) for place, unit in enumerate(UNITS)
    }


def test_an_error_is_the_one_that_was_raised_and_names_its_unit(engine: Engine):
    with pytest.raises(InputError, match="three is not wanted") as raised:
        list(engine.map(work.fails_at_three, UNITS))
    assert raised.value.__notes__ == ["at work on unit 3"]
    assert list(engine.map(work.drawn, UNITS[:2])) == [work.drawn(unit) for unit in UNITS[:2]]


def test_no_unit_makes_no_result(engine: Engine):
    assert list(engine.map(work.drawn, [])) == []


def test_workers_are_several_start_once_and_share_the_cores(two: Engine):
    assert isinstance(two, Processes)
    first, again = (dict(two.map(work.threads, UNITS)) for _ in range(2))
    assert os.getpid() not in first
    assert 1 <= len(first | again) <= 2  # one may take all units of a call before the other has begun
    share = max(1, joblib.cpu_count() // 2)
    assert set(first.values()) == {share} == {two.threads}


def test_a_unit_whose_worker_was_killed_is_done_again(two: Engine, tmp_path: Path):
    units = [Numbered(number, tmp_path) for number in range(8)]
    assert list(two.map(work.dies_once, units)) == list(range(8))
    assert {path.name for path in tmp_path.iterdir()} == {"died-2", "died-5"}


def test_a_unit_that_kills_every_worker_is_named(two: Engine):
    with pytest.raises(InputError, match="3 workers in a row .* unit 3"):
        list(two.map(work.dies, UNITS[:4]))


def test_what_units_need_is_loaded_once_by_each_worker_and_not_at_all_where_it_is_at_hand(
    engine: Engine, tmp_path: Path
):
    told: list[float] = []
    for factor in (10, 20):
        found = engine.map_held(
            times,
            UNITS,
            source=Tenfold(tmp_path, factor),
            here=factor,
            progress=lambda done, total: told.append(done / total),
        )
        assert list(found) == [factor * unit.number for unit in UNITS]
    loaded = [path.name for path in tmp_path.iterdir()]  # a second time would have been an error
    assert bool(loaded) == (not isinstance(engine, InProcess))
    assert len(loaded) <= 4
    assert told[-1] == 1 and told == sorted(told[: len(told) // 2]) * 2


def test_progress_goes_by_the_sizes_of_units(engine: Engine, tmp_path: Path):
    told: list[tuple[int, int]] = []
    sizes = [2, 4, 6]
    found = engine.map_held(
        times,
        UNITS[:3],
        source=Tenfold(tmp_path),
        here=10,
        sizes=sizes,
        progress=lambda *step: told.append(step),
    )
    assert list(found) == [0, 10, 20]
    assert told[-1] == (12, 12)
    if isinstance(engine, InProcess):  # each unit tells that it is half done
        assert told == [(1, 12), (2, 12), (4, 12), (6, 12), (9, 12), (12, 12)]


def test_a_worker_that_was_killed_is_replaced_by_one_that_holds_the_same(two: Engine, tmp_path: Path):
    units = [Numbered(number, tmp_path) for number in range(8)]
    found = two.map_held(times_or_dies, units, source=Tenfold(tmp_path, 3), here=3)
    assert list(found) == [3 * number for number in range(8)]
    assert {"died-2", "died-5"} <= {path.name for path in tmp_path.iterdir()}


def test_a_worker_holds_nothing_while_it_is_at_other_work_unless_it_lies_on_gpus(tmp_path: Path):
    """Memory of a GPU is of no use to other work, and a model takes long to load again."""
    on_cpu, on_gpu = (WithHeld(times, Tenfold(tmp_path / str(n), n_gpus=n)) for n in (0, 1))
    for again in (on_cpu, on_gpu):
        again.source.folder.mkdir()
        assert [processes._placed(again, 0, unit)[1] for unit in UNITS[:2]] == [0, 10]
    processes._placed(work.drawn, 0, UNITS[0])
    assert processes._placed(on_gpu, 0, UNITS[1])[1] == 10
    with pytest.raises(FileExistsError):  # it is loaded a second time
        processes._placed(on_cpu, 0, UNITS[1])


def test_what_a_worker_cannot_load_is_the_error(two: Engine, tmp_path: Path):
    with pytest.raises(InputError, match="no such factor here"):
        list(two.map_held(times, UNITS, source=Tenfold(tmp_path, -1), here=-1))


def alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def at_work(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process with two workers, which have begun, and the workers."""
    command = [sys.executable, "-m", "tests.engine.interrupted", str(folder)]
    run = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while len(begun := list(folder.iterdir())) < 2:
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    return run, [int(path.name.removeprefix("begun-")) for path in begun]


def test_an_interrupt_leaves_no_process_behind(tmp_path: Path):
    run, workers = at_work(tmp_path)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process
    error = run.communicate(timeout=60)[1]
    # Python's own resource tracker may add a line on what is gone already.
    assert "\nKeyboardInterrupt\n" in error and error.count("Traceback") == 1
    assert not [worker for worker in workers if alive(worker)]


def test_workers_end_when_the_process_that_began_them_is_killed(tmp_path: Path):
    run, workers = at_work(tmp_path)
    run.kill()
    run.communicate()
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [worker for worker in workers if alive(worker)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": 0}, "workers must be positive, got 0"),
        ({"name": "abacus"}, "unknown engine 'abacus'; expected one of local, ray"),
        ({"address": "ray://head:10001"}, "ray://head:10001 is the address of a Ray cluster"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(given: dict[str, object], said: str):
    with pytest.raises(InputError, match=said):
        open_engine(**given)  # pyright: ignore[reportArgumentType]
