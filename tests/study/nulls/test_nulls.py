"""Exchanged labels: what stays, what goes, and verdicts on them from a study's directory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisResult, AnalysisSettings, Verdict
from if_circuits.analyses.shared.null_rates import null_rates
from if_circuits.cli import main as cli
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS, InProcess
from if_circuits.errors import InputError
from if_circuits.plotting.style import task_label
from if_circuits.study import Study, StudyConfig
from if_circuits.study.nulls import draws as draws_module
from if_circuits.study.nulls import exchanged
from if_circuits.study.nulls.draws import null_verdicts, table_of
from if_circuits.study.nulls.exchanged import exchange_labels, exchanged_labels
from if_circuits.study.nulls.kept import kept_nulls
from if_circuits.study.pipeline import open_activations


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
    table = pd.DataFrame({"null": "labels", "analysis": "specificity", "verdict": verdicts})
    (row,) = null_rates(table).to_dict("records")
    assert (row["supported"], row["not_supported"], row["inconclusive"], row["draws"]) == (2, 3, 5, 10)
    assert row["low"] == pytest.approx(0.0567, abs=1e-3) and row["high"] == pytest.approx(0.5098, abs=1e-3)


def test_what_is_described_has_no_rate() -> None:
    verdicts = pd.DataFrame(
        {"null": "labels", "analysis": "specialist_vs_general", "verdict": ["described", "described"]}
    )
    assert null_rates(verdicts).empty


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    settings = AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=2)
    config = StudyConfig(
        model="if-tiny",
        tasks=("word_count", "topic"),
        n_base_queries=36,
        prompts_per_query=1,
        greedy=False,
        layers=(3,),
        analyses=("cross_task_transfer", "localisation"),
        settings=settings,
    )
    return Study.run(config, tmp_path_factory.mktemp("nulls") / "study")


@dataclass(frozen=True)
class Separation:
    """An analysis in miniature: how far apart the labels of word count lie, trained and tested on all rows.

    It notes what else it is given.
    """

    given: list[str]

    def run(
        self, source: CapturedActivations, settings: AnalysisSettings, *, engine: Engine, **given: object
    ) -> AnalysisResult:
        del settings
        assert isinstance(engine, InProcess)
        self.given.extend(given)
        rows = source.responses["task"] == "word_count"
        part = CapturedActivations(source.responses[rows], source.store)
        acts = part.at(layer=3, position="last")
        means = [acts.X[acts.labels == label].mean(axis=0) for label in (True, False)]
        effect = float(np.linalg.norm(means[0] - means[1]))
        verdict = Verdict("claim", "inconclusive", effect, (0.0, 1.0), 0.5, len(acts.X), "rule")
        return AnalysisResult("cross_task_transfer", pd.DataFrame(), verdict)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the analysis in miniature is given, beside activations and settings; it stands for all others."""
    found: list[str] = []
    monkeypatch.setattr(draws_module, "get_analysis", lambda _: Separation(found))
    return found


@pytest.mark.slow
def test_draws_are_kept_and_made_again_only_when_what_decides_them_changes(
    study: Study, given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, directory = study.directory.root, study.directory
    kept = table_of(root, "labels")
    before = {path: path.read_bytes() for path in (root / "results").rglob("*")}
    assert cli.main(["analyse", str(root), "--null", "labels", "--draws", "2"]) == 0
    assert "cross_task_transfer" in capsys.readouterr().out
    first = pd.read_parquet(kept)
    assert first["draw"].tolist() == [0, 1] and not given
    separation = Separation([]).run(open_activations(directory), study.config.settings, engine=IN_PROCESS)
    assert len({separation.verdict.effect, *first["effect"]}) == 3  # other labels, other numbers
    assert f"{task_label('cross_task_transfer')} 0 of 2" in directory.report.read_text("utf-8")

    monkeypatch.setattr(exchanged, "code_digest", lambda *_: "as it will be")
    shown = kept_nulls(directory)  # what other code drew is not
    assert shown is None or "labels" not in set(shown["null"])
    again = null_verdicts(directory, exchanged_labels(directory), draws=2)
    assert again["effect"].tolist() == pytest.approx(first["effect"].tolist())
    assert len(pd.read_parquet(kept)) == 4
    monkeypatch.setattr(exchanged, "exchange_labels", None)
    null_verdicts(directory, exchanged_labels(directory), draws=2)  # nothing is drawn
    assert {path: path.read_bytes() for path in before} == before  # the results stay as they were
    with pytest.raises(InputError, match="localisation"):
        null_verdicts(directory, exchanged_labels(directory), ["localisation"], draws=1)


@pytest.mark.slow
def test_an_untrained_model_reads_the_same_responses(study: Study, given: list[str]) -> None:
    table = study.null("untrained", draws=2)
    assert table["analysis"].tolist() == ["cross_task_transfer", "localisation"] * 2
    assert given == ["model", "run_settings"] * 2  # for localisation alone
    assert table["effect"].nunique() == 2  # other weights, other numbers
    assert study.null("untrained", draws=2)["effect"].tolist() == table["effect"].tolist()
    assert len(given) == 4  # kept
    assert not list(study.directory.root.glob(".null-*"))  # what a draw read is gone
    report = study.directory.report.read_text("utf-8")
    assert "weights drawn anew, claims called supported" in report


@pytest.mark.slow
@pytest.mark.usefixtures("given")
def test_a_draw_of_weights_that_was_interrupted_does_not_read_again(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.open(shutil.copytree(study.directory.root, tmp_path / "study"))
    table_of(study.directory.root, "untrained").unlink(missing_ok=True)  # what another test drew

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(draws_module, "_row", fails)
        with pytest.raises(KeyboardInterrupt):
            study.null("untrained", draws=1)
    (left,) = study.directory.root.glob(".null-*")
    shards = {path: path.stat().st_mtime_ns for path in left.rglob("shard-*")}
    assert shards

    def looks(*arguments: Any) -> dict[str, object]:
        if left.exists():
            assert {path: path.stat().st_mtime_ns for path in left.rglob("shard-*")} == shards
        return row(*arguments)

    row = draws_module._row
    monkeypatch.setattr(draws_module, "_row", looks)
    study.null("untrained", draws=1)
    assert not left.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("given")
def test_what_a_draw_of_weights_left_of_other_responses_is_read_again(study: Study, tmp_path: Path) -> None:
    study = Study.open(shutil.copytree(study.directory.root, tmp_path / "study"))
    table_of(study.directory.root, "untrained").unlink(missing_ok=True)
    others = study.activations.responses.head(4)
    left = study.directory.root / ".null-untrained-0"
    ifc.capture(study.load_model(), others, path=left / "responses", layers=[3], progress=False)
    assert len(study.null("untrained", draws=1)) == 2
    assert not left.exists()


def test_another_null_is_refused(study: Study) -> None:
    with pytest.raises(InputError, match="labels or untrained"):
        study.null("weights", draws=1)
