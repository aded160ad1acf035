"""A report with every view: random tables of every analysis, and responses that would like to be code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.compliance.analysis import compliance_table
from if_circuits.report.page import ReportContent, render_report
from if_circuits.report.readings import Readings
from tests.analyses.tables import LABELS, TASKS, results

N_BLOCKS = 6
HOSTILE = (
    "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'>",
    "</script><script>window.hacked = true</script>",
    "[click](javascript:window.hacked=true) <a href='javascript:window.hacked=true'>me</a>",
    "word " * 20_000,
    "unbroken" * 12_500,
    "שלום עולם \u202ereversed\u202c مرحبا",
    "a NUL \x00, a bell \x07 and an escape \x1b[31m",
    '"; window.hacked = true; //',
    "{{ 7 * 7 }} ${7 * 7} <!-- <script>",
    "=HYPERLINK(\"javascript:1\")",
)  # fmt: skip


def responses() -> pd.DataFrame:
    """Eight base queries of each task, constrained and not, satisfied in turn; the texts are hostile."""
    records = [
        {
            "response_id": f"{task}/{query}/{kind}", "prompt_id": f"{task}/{query}", "task": task,
            "family": family, "base_query": f"q{query}", "grade": f"grade {query % 2}", "parameters": "{}",
            "constrained": kind != "twin", "temperature": 0.0 if kind == "greedy" else 1.0,
            "prompt": f"Write about {query}. {HOSTILE[(query + place) % 3]}",
            "response": HOSTILE[(query + place) % len(HOSTILE)],
            "verdict": "undecided" if query == 7 else ("satisfied", "violated")[query % 2],
            "reason": f"because {HOSTILE[0]}", "truncated": query == 3,
        }
        for place, (task, family) in enumerate(TASKS.items())
        for query in range(8)
        for kind in ("sampled", "twin", "greedy")
    ]  # fmt: skip
    return pd.DataFrame(records)


def pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Counterfactual rows of the sampled responses."""
    own = rows[rows["response_id"].str.endswith("sampled")]
    return pd.concat(
        [own.assign(response_id=own["response_id"] + f"/{verdict}", verdict=verdict, labels="counterfactual")
         for verdict in ("satisfied", "violated")],
        ignore_index=True,
    )  # fmt: skip


def readings(rows: pd.DataFrame) -> Readings:
    """Twelve tokens of one response of each task, under every probe."""
    rng = np.random.default_rng(0)
    sample = rows[rows["response_id"].str.endswith("/0/sampled")]["response_id"].tolist()
    spots = [(task, layer) for task in TASKS for layer in (*range(-1, N_BLOCKS), np.nan)]
    tokens = pd.DataFrame(
        [(name, i, "" if i == 0 else HOSTILE[i % 3][:9]) for name in sample for i in range(13)],
        columns=["response_id", "token", "text_token"],
    )
    table = pd.DataFrame(
        [(name, task, layer, i, float(np.clip(0.3 + 0.05 * i + rng.normal(0, 0.1), 0, 1)))
         for name in sample for task, layer in spots for i in range(13)],
        columns=["response_id", "train_task", "layer", "token", "reading"],
    )  # fmt: skip
    probes = pd.DataFrame(
        [(task, layer, 0.7, "") for task, layer in spots], columns=["train_task", "layer", "auroc", "reason"]
    )
    calibration = pd.DataFrame(
        [
            (task, layer, b, 10, b + 0.1, b, b + 0.2)
            for task, layer in spots
            for b in (0.0, 0.2, 0.4, 0.6, 0.8)
        ],
        columns=["train_task", "layer", "bin", "n", "share_satisfied", "low", "high"],
    )
    return Readings(table, tokens, probes, calibration)


def scores(ids: Sequence[tuple[str, str, str]], **by: Sequence[object]) -> pd.DataFrame:
    """Ranks of responses, (labels, task, id), under every value of one more column."""
    rng = np.random.default_rng(1)
    ((column, values),) = by.items()
    table = pd.DataFrame(
        [(labels, task, name, value) for labels, task, name in ids for value in values],
        columns=["labels", "task", "response_id", column],
    )
    ranks = rng.uniform(0, 1, len(table))
    return table.assign(fold=np.arange(len(table)) % 3, score=4 * ranks - 2, score_rank=ranks)


def answers(rows: pd.DataFrame) -> pd.DataFrame:
    """Greedy answers to one prompt of each task: intact, without each task, and under two controls."""
    asked = rows[rows["response_id"].str.endswith("/1/greedy")]
    conditions = {"intact": "", **{task: task for task in TASKS}, "gaussian/0/0": "gaussian"}
    return pd.concat(
        [asked.assign(condition=name, ablated=ablated, half=0, response=f"The river {name} " + HOSTILE[0])
         for name, ablated in conditions.items()],
        ignore_index=True,
    )  # fmt: skip


def hostile_names(result: AnalysisResult) -> AnalysisResult:
    """Localisation whose subspaces have names that would like to be code, as those of a user's method may."""
    names = {"difference in means": HOSTILE[0], "INLP": HOSTILE[1]}
    tables = {name: table.replace({"subspace": names}) for name, table in result.tables.items()}
    return AnalysisResult(result.name, result.table.replace({"subspace": names}), result.verdict, tables)


def page_content() -> ReportContent:
    """The whole of it."""
    rows = responses()
    counterfactual = pairs(rows)
    found = results(N_BLOCKS)
    found = {**found, "localisation": hostile_names(found["localisation"])}
    sampled = rows[rows["response_id"].str.endswith("sampled")]
    ids = [
        (labels, task, name)
        for labels, table in zip(LABELS, (sampled, counterfactual), strict=True)
        for task, name in zip(table["task"], table["response_id"], strict=True)
    ]
    more = {
        "cross_task_transfer": {"scores": scores(ids, train_task=list(TASKS))},
        "layer_stratification": {"scores": scores(ids, layer=range(-1, N_BLOCKS))},
        "causal_ablation": {"answers": answers(rows)},
    }
    given = {
        name: AnalysisResult(name, result.table, result.verdict, {**result.tables, **more.get(name, {})})
        for name, result in found.items()
    }
    record = {
        "model": {"name": "if-tiny", "fingerprint": "abc"},
        "config": {"temperature": None, "seed": 3},
        "run_settings": {"temperature": 0.5, "top_p": 0.9},
        "versions": {"if_circuits": "0.2.0"},
        "stages": {"responses": {"seconds": 12.5, "peak_memory_mb": 900}},
    }
    return ReportContent(
        record, rows, compliance_table(rows, n_bootstrap=50), given, {},
        counterfactual=counterfactual, readings=readings(rows),
    )  # fmt: skip


def write_page(folder: Path) -> Path:
    """The report in a folder; its path."""
    path = folder / "report.html"
    path.write_text(render_report(page_content()), encoding="utf-8")
    return path
