import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.analyses.base import ON_ACTIVATIONS
from if_circuits.analyses.validation.calibration import (
    plan as calibration_plan,
)
from if_circuits.analyses.validation.calibration import (
    runs as calibration_runs,
)
from if_circuits.analyses.validation.calibration.plan import CLAIMS, SMALL, Claim, PlannedRun, plan
from if_circuits.analyses.validation.calibration.run import calibrate, costs, rates, summarise
from if_circuits.cli import calibrate as command
from if_circuits.cli import main as cli
from if_circuits.engine.base import Engine
from if_circuits.engine.choice import open_engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.errors import InputError

TINY = replace(SMALL, n_base_queries=12, d_model=12, n_layers=1)
FAST = "cross_task_transfer"
CLAIM = {
    FAST: Claim(
        {"nothing": replace(TINY, mechanism="null"), "universal": replace(TINY, mechanism="universal")},
        TINY,
        signals=(3.0,),
        sizes=((12, 12),),
    )
}


RUNS, POWER_RUNS = 2, 1


def tiny(out: Path, *, engine: Engine = IN_PROCESS) -> pd.DataFrame:
    calibrate(out, runs=RUNS, power_runs=POWER_RUNS, engine=engine, analyses=[FAST], claims=CLAIM)
    return table(out)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("calibration")
    tiny(out)
    return out


def table(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "runs.parquet").drop(columns="cpu_seconds")


def test_the_summary_has_rates_with_intervals_and_power_by_signal_and_size(finished: Path):
    summary = json.loads((finished / "summary.json").read_text())
    claim = summary["claims"][FAST]
    false_positive, (power,) = claim["false_positive"], claim["power"]
    assert set(false_positive) == {"planted", "rate", "low", "high", "runs"}
    assert set(power) == {"signal", "n_over_d", "rate", "runs"}
    assert false_positive["runs"] == RUNS
    nulls = [row for row in summary["rates"] if row["kind"] == "null"]
    assert {null["planted"] for null in nulls} == {"nothing", "universal"}
    assert false_positive["rate"] == max(null["rate"] for null in nulls)
    for entry in summary["rates"]:
        assert 0 <= entry["low"] <= entry["rate"] <= entry["high"] <= 1
        assert entry["low"] < entry["high"]
    assert (power["signal"], power["n_over_d"], power["runs"]) == (3.0, 12 * 4 / 12, POWER_RUNS)
    assert (finished / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_has_a_row_for_each_run_with_its_own_seeds(finished: Path):
    found = table(finished)
    assert len(found) == 2 * RUNS + POWER_RUNS
    assert found["truth_seed"].is_unique
    supported = found.groupby("planted")["verdict"].apply(lambda verdicts: (verdicts == "supported").mean())
    rows = json.loads((finished / "summary.json").read_text())["rates"]
    assert {row["planted"]: row["rate"] for row in rows} == supported.to_dict()


@pytest.mark.slow
def test_two_workers_find_what_one_finds(finished: Path, tmp_path: Path):
    with open_engine(workers=2) as engine:
        pd.testing.assert_frame_equal(tiny(tmp_path, engine=engine), table(finished), check_exact=True)


def test_another_seed_plants_other_studies():
    first, second = (
        {run.truth.seed for run in plan(runs=3, power_runs=2, seed=seed, analyses=[FAST], claims=CLAIM)}
        for seed in (0, 1)
    )
    assert first.isdisjoint(second)


def test_it_goes_on_where_it_was_stopped(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(done: int, total: int) -> None:
        if 0 < done < total:
            raise KeyboardInterrupt

    planned = plan(runs=RUNS, power_runs=POWER_RUNS, analyses=[FAST], claims=CLAIM)
    with pytest.raises(KeyboardInterrupt):
        calibration_runs.carry_out(planned, tmp_path / "parts", progress=stop)
    kept = list((tmp_path / "parts").glob("*.parquet"))
    assert kept
    assert not (tmp_path / "runs.parquet").exists()
    written = {path: path.stat().st_mtime_ns for path in kept}
    pd.testing.assert_frame_equal(tiny(tmp_path), table(finished))
    assert {path: path.stat().st_mtime_ns for path in kept} == written

    # All is there now: no worker may be asked again.
    monkeypatch.setattr(calibration_runs, "run_chunk", lambda *_, **__: pytest.fail("ran a finished run"))
    pd.testing.assert_frame_equal(tiny(tmp_path), table(finished))


def test_a_longer_plan_contains_the_shorter_one():
    short, long = (plan(runs=n, power_runs=n) for n in (2, 4))
    assert {run.run_id for run in short} < {run.run_id for run in long}
    assert {run.analysis for run in short} == set(ON_ACTIVATIONS)


def test_other_code_plans_other_runs(monkeypatch: pytest.MonkeyPatch):
    before = plan(runs=1, power_runs=1, analyses=[FAST], claims=CLAIM)
    monkeypatch.setattr(calibration_plan, "code_of", lambda _: "edited")
    after = plan(runs=1, power_runs=1, analyses=[FAST], claims=CLAIM)
    assert {run.run_id for run in before}.isdisjoint({run.run_id for run in after})
    # On the same planted studies, so that the two can be compared.
    assert [run.truth for run in before] == [run.truth for run in after]


def test_every_null_gets_the_runs_and_power_reaches_below_one_response_per_dimension():
    planned = plan(runs=command.RUNS, power_runs=command.POWER_RUNS)
    for name, claim in CLAIMS.items():
        own = [run for run in planned if run.analysis == name]
        for planted in claim.nulls:
            assert sum(run.planted == planted for run in own) >= 200
        ratios = {run.n_over_d for run in own if run.kind == "power"}
        assert min(ratios) < 2 < 10 < max(ratios)
        assert len({run.truth.signal for run in own if run.kind == "power"}) == 3


def test_costs_are_the_cpu_seconds_of_each_analysis(finished: Path):
    table = pd.read_parquet(finished / "runs.parquet")
    (row,) = costs(table).to_dict("records")
    assert (row["analysis"], row["runs"]) == (FAST, len(table))
    assert row["all_runs"] == pytest.approx(table["cpu_seconds"].sum())
    assert row["one_null_run"] > 0


def test_every_claim_is_planted_both_ways():
    assert tuple(CLAIMS) == ON_ACTIVATIONS
    for claim in CLAIMS.values():
        assert claim.true not in claim.nulls.values()
        assert all(truth.mechanism == "null" or truth.signal > 0 for truth in claim.nulls.values())


def test_the_highest_of_the_nulls_counts():
    rows = [
        {
            "analysis": "a",
            "kind": kind,
            "planted": planted,
            "signal": 1.0,
            "n_over_d": 2.0,
            "verdict": verdict,
        }
        for kind, planted, verdict in (
            ("null", "quiet", "inconclusive"),
            ("null", "quiet", "not supported"),
            ("null", "loud", "supported"),
            ("null", "loud", "inconclusive"),
            ("power", "claim", "supported"),
        )
    ]
    claim = summarise(rates(pd.DataFrame(rows)))["claims"]["a"]
    assert claim["false_positive"]["rate"] == 0.5
    # Wilson's interval of 1 in 2: 0.5 -+ z sqrt(1 / 8 + z^2 / 16) / (1 + z^2 / 2), at z = 1.96.
    assert claim["false_positive"]["low"] == pytest.approx(0.0945, abs=1e-3)
    assert claim["power"][0]["rate"] == 1.0


def test_a_run_that_fails_does_not_lose_the_others(tmp_path: Path):
    good = plan(runs=calibration_runs.CHUNK, power_runs=1, analyses=[FAST], claims=CLAIM)
    bad = PlannedRun("unheard_of", "null", "nothing", 0, good[0].truth, good[0].settings)
    first = [*good[: calibration_runs.CHUNK], bad]
    with pytest.raises(RuntimeError, match="1 of 2 parts failed"):
        calibration_runs.carry_out(first, tmp_path, progress=lambda *_: None)
    (part,) = tmp_path.glob("*.parquet")
    assert set(pd.read_parquet(part)["run_id"]) == {run.run_id for run in first[:-1]}


def test_an_unknown_analysis_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(InputError, match="unknown analysis 'phrenology'"):
        plan(runs=1, power_runs=1, analyses=["phrenology"])
    with pytest.raises(SystemExit) as stopped:
        cli.main(["calibrate", "--out", str(tmp_path / "none"), "--only", "phrenology"])
    assert stopped.value.code == 2
    assert "phrenology" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("given", [{"runs": 0}, {"power_runs": 0}])
def test_fewer_than_one_is_refused(tmp_path: Path, given: dict[str, int]):
    with pytest.raises(InputError, match="positive"):
        calibrate(tmp_path, **{"runs": 1, "power_runs": 1, **given})
