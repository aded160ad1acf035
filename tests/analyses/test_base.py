import subprocess
import sys
from inspect import signature

import pandas as pd
import pytest

from if_circuits.analyses.base import (
    ANALYSES,
    ON_ACTIVATIONS,
    AnalysisResult,
    get_analysis,
    make_verdict,
    no_verdict,
)
from if_circuits.errors import InputError
from if_circuits.statistics.bootstrap import Interval
from if_circuits.statistics.verdicts import decide
from tests.analyses.planted import SETTINGS, small_study


def test_the_list_of_analyses_can_be_read_without_heavy_imports() -> None:
    code = (
        "import sys; from if_circuits.analyses.base import ANALYSES; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'sklearn', 'transformer_lens')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_analysis_is_found_by_its_name_and_has_a_claim_of_its_own() -> None:
    analyses = [get_analysis(name) for name in ANALYSES]
    assert tuple(each.name for each in analyses) == ANALYSES
    assert len({each.claim for each in analyses}) == len(ANALYSES)


def test_only_what_speaks_of_cause_takes_a_model() -> None:
    for name in ANALYSES:
        analysis = get_analysis(name)
        parameters = set(signature(analysis.run).parameters)
        assert analysis.uses_model == (name in ("causal_ablation", "localisation"))
        assert parameters == {"source", "settings", "engine", "progress"} | (
            {"model", "run_settings", "kept"} if analysis.uses_model else set()
        )


@pytest.mark.parametrize("name", [name for name in ON_ACTIVATIONS if name != "causal_ablation"])
def test_every_analysis_tells_how_far_it_is(name: str) -> None:
    told: list[float] = []
    source = small_study("separate", n_base_queries=20, samples=2, pairs=True)
    get_analysis(name).run(source, SETTINGS, progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert len(set(told)) >= 4
    assert told[-1] == 1.0


def test_every_verdict_names_its_rung_what_it_assumes_and_what_would_break_it() -> None:
    rungs: dict[str, str] = {}
    for name in ANALYSES:
        verdict = no_verdict("a claim", "a rule", ())
        evidence = AnalysisResult(name, pd.DataFrame(), verdict).evidence
        rungs[name] = evidence.rung
        assert evidence.assumes and evidence.broken_by
        assert str(evidence).startswith(f"Rung: {evidence.rung}. Assumes: ")
    # Removals from activations are decoded; those in behaviour, which this result lacks, would be causal.
    assert [name for name, rung in rungs.items() if rung == "causal"] == ["localisation"]
    summary = pd.DataFrame({"matrix": ["refitted probe", "behaviour"], "verdict": [False, True]})
    of_behaviour = AnalysisResult("causal_ablation", pd.DataFrame(), verdict, {"summary": summary})
    assert of_behaviour.evidence.rung == "causal"


def test_an_unknown_analysis_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'divination'.*specificity"):
        get_analysis("divination")


def test_a_verdict_carries_its_decision_and_interval() -> None:
    interval = Interval(0.2, 0.1, 0.3, n_groups=40)
    decision = decide(interval, supported_when="above", threshold=0.0)
    found = make_verdict("a claim", decision, interval, p=0.01, notes=("a note",))
    assert (found.verdict, found.effect, found.interval, found.n) == ("supported", 0.2, (0.1, 0.3), 40)
    assert found.rule == decision.rule
    assert found.notes == ("a note",)


def test_without_data_nothing_is_concluded() -> None:
    found = no_verdict("a claim", "a rule", ("no data",))
    assert found.verdict == "inconclusive"
    assert found.n == 0
