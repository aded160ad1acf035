"""Exchanged labels: what stays, what goes, and verdicts on them from a study's directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.study import Study, StudyConfig
from if_circuits.study import nulls as nulls_module
from if_circuits.study.nulls import TABLE, exchange_labels, rates_of, verdicts_on_exchanged


@dataclass(frozen=True)
class Held:
    """A store of which nothing is read."""

    response_ids: tuple[str, ...]
    not_finite: tuple[str, ...] = ()


def captured(rows: pd.DataFrame, pairs: pd.DataFrame) -> CapturedActivations:
    counterfactual = CapturedActivations(pairs, Held(tuple(pairs["response_id"])))  # type: ignore[arg-type]
    return CapturedActivations(rows, Held(tuple(rows["response_id"])), counterfactual=counterfactual)  # type: ignore[arg-type]


def responses(n_queries: int = 40) -> pd.DataFrame:
    """Two tasks; the labels of a base query are all the same; the last base query has a response more."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "task": task,
            "base_query": f"query {q:02}",
            "constrained": constrained,
            "prompt_id": f"{task}/{q}/{constrained}",
            "sample": sample,
            "verdict": verdict if constrained else "violated",
            "reason": f"{task} {q}",
        }
        for task in ("topic", "register")
        for q in range(n_queries)
        for verdict in [str(rng.choice(["satisfied", "violated"]))]
        for constrained in (True, False)
        for sample in range(3 if q == n_queries - 1 else 2)
    ]
    table = pd.DataFrame(rows).assign(response_id=lambda t: [str(i) for i in range(len(t))])
    return table.sample(frac=1.0, random_state=1).reset_index(drop=True)


def pairs_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Two rows a response: satisfied under its own prompt, violated under another."""
    own = rows[rows["constrained"]].assign(pair=lambda t: t["response_id"], verdict="satisfied")
    other = own.assign(verdict="violated")
    both = pd.concat([own, other], ignore_index=True)
    return both.assign(response_id=[f"pair {i}" for i in range(len(both))])


@pytest.fixture
def source() -> CapturedActivations:
    rows = responses()
    return captured(rows, pairs_of(rows))


def test_whole_base_queries_exchange_the_labels_of_a_task(source: CapturedActivations) -> None:
    before, after = source.responses, exchange_labels(source, seed=0).responses
    assert before.drop(columns=["verdict", "reason"]).equals(after.drop(columns=["verdict", "reason"]))
    counts = ["task", "constrained", "verdict"]
    assert after[counts].value_counts().equals(before[counts].value_counts())
    asked = after[after["constrained"]]
    given = asked.groupby(["task", "base_query"])["reason"]
    assert (given.nunique() == 1).all()  # labels of one base query stay together
    assert given.first().groupby("task").nunique().eq(40).all()  # each is given once
    moved = asked["reason"] != before.loc[asked.index, "reason"]
    assert 0.8 < moved.mean() < 1.0
    last = asked["base_query"] == "query 39"  # no other has as many responses
    assert not moved[last].any()
    both = asked.groupby(["base_query"])["reason"].unique().map(len)
    assert (both == 2).all()
    for task in ("topic", "register"):
        assert asked.loc[asked["task"] == task, "reason"].str.startswith(task).all()


def test_a_coin_for_each_base_query_flips_its_pairs(source: CapturedActivations) -> None:
    assert source.counterfactual is not None
    before = source.counterfactual.responses
    exchanged = exchange_labels(source, seed=0).counterfactual
    assert exchanged is not None
    after = exchanged.responses
    flipped = before["verdict"] != after["verdict"]
    assert (after.groupby("pair")["verdict"].nunique() == 2).all()
    assert (flipped.groupby([before["task"], before["base_query"]]).nunique() == 1).all()
    assert 0.3 < flipped.mean() < 0.7


def test_a_seed_gives_one_exchange_and_another_another(source: CapturedActivations) -> None:
    first, again, other = (exchange_labels(source, seed=seed).responses["reason"] for seed in (3, 3, 4))
    assert first.equals(again) and not first.equals(other)


def test_rates_count_outcomes_and_have_an_interval() -> None:
    verdicts = ["supported"] * 2 + ["inconclusive"] * 5 + ["not supported"] * 3
    (row,) = rates_of(pd.DataFrame({"analysis": "specificity", "verdict": verdicts})).to_dict("records")
    assert (row["supported"], row["not_supported"], row["inconclusive"], row["draws"]) == (2, 3, 5, 10)
    assert row["low"] == pytest.approx(0.0567, abs=1e-3) and row["high"] == pytest.approx(0.5098, abs=1e-3)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    settings = AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=2)
    config = StudyConfig(
        model="if-tiny",
        tasks=("json_format", "topic"),
        n_base_queries=20,
        prompts_per_query=1,
        greedy=False,
        analyses=("cross_task_transfer", "localisation"),
        settings=settings,
    )
    return Study.run(config, tmp_path_factory.mktemp("nulls") / "study")


@pytest.mark.slow
def test_draws_are_kept_and_made_again_only_when_what_decides_them_changes(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root: Path = study.directory.root
    before = {path: path.read_bytes() for path in root.rglob("*.parquet")}
    assert cli.main(["analyse", str(root), "--null-labels", "2"]) == 0
    assert "cross_task_transfer" in capsys.readouterr().out
    first = pd.read_parquet(root / TABLE)
    assert first["draw"].tolist() == [0, 1]
    made: list[int] = []
    exchange = nulls_module.exchange_labels

    def counted(source: CapturedActivations, *, seed: int) -> CapturedActivations:
        made.append(seed)
        return exchange(source, seed=seed)

    monkeypatch.setattr(nulls_module, "exchange_labels", counted)
    monkeypatch.setattr(nulls_module, "code_digest", lambda *_: "as before")
    with_digest = verdicts_on_exchanged(study.directory, ["cross_task_transfer"], draws=2)
    assert with_digest["effect"].tolist() == pytest.approx(first["effect"].tolist(), nan_ok=True)
    assert len(pd.read_parquet(root / TABLE)) == 4  # other code, other draws
    verdicts_on_exchanged(study.directory, ["cross_task_transfer"], draws=2)
    assert len(pd.read_parquet(root / TABLE)) == 4
    assert {path: path.read_bytes() for path in before} == before  # the study stays as it was
    with pytest.raises(InputError, match="localisation"):
        verdicts_on_exchanged(study.directory, ["localisation"], draws=1)
