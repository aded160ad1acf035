import numpy as np

from tests.benchmarks import timing
from tests.benchmarks.timing import Bound, Part, interleaved


def test_all_are_warmed_up_and_then_timed_in_turns():
    order: list[str] = []
    bound = Bound("a copy", (Part(lambda: order.append("c"), 1.0),))
    taken = interleaved(lambda: order.append("a"), {"b": lambda: order.append("b")}, repeats=2, bound=bound)
    assert order == ["a", "b", "c"] * 3
    assert taken.ours.shape == taken.others["b"].shape == (2,)
    assert taken.bound is not None
    assert taken.bound.shape == (2,)


def test_a_bound_is_its_parts_as_often_as_they_are_needed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0])

    def takes(seconds: float) -> None:
        now[0] += seconds

    bound = Bound("both", (Part(lambda: takes(2.0), 10.0), Part(lambda: takes(0.5), 4.0)), 88.0, "GFLOP/s")
    taken = interleaved(lambda: takes(30.0), {"theirs": lambda: takes(40.0)}, repeats=2, bound=bound)
    np.testing.assert_allclose(taken.ours, [30.0, 30.0])
    np.testing.assert_allclose(taken.others["theirs"], [40.0, 40.0])
    assert taken.bound is not None
    np.testing.assert_allclose(taken.bound, [22.0, 22.0])
    assert bound.described(taken.bound) == "both, 4 GFLOP/s"


def test_without_a_bound_there_is_none():
    assert interleaved(lambda: None, {}, repeats=1).bound is None
