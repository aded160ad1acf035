"""The last stages of a study: verdicts on the labels on which two judges agree, token readings of a sample,
the figures, the report and the summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from if_circuits.analyses.base import get_analysis
from if_circuits.analyses.compliance.figure import compliance_figure
from if_circuits.analyses.compliance.pilot_figure import pilot_figure
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.errors import InputError
from if_circuits.io.files import json_text, write_bytes, write_parquet
from if_circuits.models.loading import LoadedModel
from if_circuits.plotting.style import png_bytes
from if_circuits.progress import Report
from if_circuits.report.page import ReportContent, render_report, shipped_calibration
from if_circuits.report.readings import PARTS, Readings
from if_circuits.study.agreement import Agreement, find_agreement
from if_circuits.study.config import StudyConfig
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import StageKeys
from if_circuits.study.nulls.kept import kept_nulls
from if_circuits.study.order import AGREED, CLOSING, READINGS, has_pilot, inputs_of, stage_names
from if_circuits.study.pipeline import open_activations
from if_circuits.study.prompting import unmeasured
from if_circuits.study.readings import read_sample, read_stored
from if_circuits.study.stage import StageProgress, stage


def repeat_on_agreed(directory: StudyDirectory, progress: StageProgress, engine: Engine = IN_PROCESS) -> None:
    """Write what two judges agree on, and the verdicts on it; nothing where the study has no such stage."""
    if AGREED not in stage_names(directory.config):
        return
    with stage(AGREED, directory, progress=progress) as work:
        if work is None:
            return
        found = agreement_of(directory, directory.config.analyses, engine=engine, progress=work.report)
        for name, table in ((None, found.verdicts), ("judges", found.judges)):
            write_parquet(directory.table(AGREED, name), table)
            work.wrote(directory.table(AGREED, name))


def agreed_tables(directory: StudyDirectory) -> list[Path]:
    """The tables of the stage, verdicts and judges; none where the study has it not, or not yet."""
    done = AGREED in stage_names(directory.config) and AGREED in directory.ledger.read()["stages"]
    return [directory.table(AGREED), directory.table(AGREED, "judges")] if done else []


def agreement_of(
    directory: StudyDirectory,
    names: Sequence[str],
    *,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> Agreement:
    """What two judges agree on, and the verdicts of the analyses on it; changes nothing.

    Tasks for which the pilot found no grade take no part, as in the study's own verdicts.
    """
    left_out = unmeasured(directory)
    if not set(pd.read_parquet(directory.responses)["task"]) - set(left_out):
        names = ()
        left_out = {}
    return find_agreement(
        open_activations(directory, without=left_out),
        names,
        directory.config.settings,
        judges=directory.ledger.read()["judges"],
        engine=engine,
        progress=progress,
    )


def make_readings(directory: StudyDirectory, model: LoadedModel, progress: StageProgress) -> None:
    """Write what probes read along a sample of responses, token by token."""
    with stage(READINGS, directory, progress=progress) as work:
        if work is None:
            return
        found = read_sample(open_activations(directory), directory.config.settings, model)
        for name in ("", *PARTS):
            path = directory.table(READINGS, name or None)
            write_parquet(path, getattr(found, name or "table"))
            work.wrote(path)


def readings_of(directory: StudyDirectory) -> Readings:
    """Those that the stage wrote; where it is not done, as without the model, those of stored positions."""
    keys = StageKeys(directory)
    if directory.ledger.pending(READINGS, inputs_of(READINGS, directory), keys.of(READINGS)) is not None:
        return read_stored(open_activations(directory), directory.config.settings)
    read = {name: pd.read_parquet(directory.table(READINGS, name or None)) for name in ("", *PARTS)}
    return Readings(read[""], read["tokens"], read["probes"], read["calibration"])


def close_study(directory: StudyDirectory, config: StudyConfig, progress: StageProgress) -> None:
    """Write the figures, the tables as CSV, the report and the summary."""
    with stage(CLOSING, directory, progress=progress) as work:
        if work is None:
            return
        work.wrote(*_write_report(directory, config.analyses))
        write_bytes(directory.summary, summary_text(directory).encode())
        work.wrote(directory.summary)


def report_so_far(directory: StudyDirectory) -> tuple[str, ...]:
    """Write the report, with figures and tables, of the analyses that are done; gives those that are not.

    A report that is up to date is left as it is. Raises InputError for a study whose responses are not
    captured yet.
    """
    config, stages = directory.config, directory.ledger.read()["stages"]
    key = StageKeys(directory).of(CLOSING)
    if directory.ledger.pending(CLOSING, inputs_of(CLOSING, directory), key) is None:
        return ()
    if "activations.counterfactual" not in stages:
        raise InputError(
            f"{directory.place} has no complete activations, so there is nothing to report; go on with "
            f"`if-circuits run {config.model} --out {directory.place}` and the options that it was made with"
        )
    missing = lacking(directory)
    _write_report(directory, [name for name in config.analyses if name not in missing])
    return missing


def lacking(directory: StudyDirectory) -> tuple[str, ...]:
    """The analyses that are not done yet."""
    stages = directory.ledger.read()["stages"]
    return tuple(name for name in directory.config.analyses if f"analyses.{name}" not in stages)


def _write_report(directory: StudyDirectory, names: Sequence[str]) -> list[Path]:
    """The report of these analyses, with their figures and tables beside it; what was written."""
    responses = pd.read_parquet(directory.responses)
    compliance = pd.read_parquet(directory.compliance)
    results = {name: directory.read_result(name) for name in names}
    figures = {name: png_bytes(get_analysis(name).figure(result)) for name, result in results.items()}
    figures["compliance"] = png_bytes(compliance_figure(compliance))
    pilot = pd.read_parquet(directory.pilot) if has_pilot(directory.config) else None
    if pilot is not None:
        figures["pilot"] = png_bytes(pilot_figure(pilot))
    tables = [directory.compliance, *([] if pilot is None else [directory.pilot])]
    for name, result in results.items():
        tables += [directory.table(name), *(directory.table(name, extra) for extra in result.tables)]
    tables += agreed_tables(directory)
    agreed = [pd.read_parquet(path) for path in agreed_tables(directory)]
    content = ReportContent(
        directory.ledger.read(),
        responses,
        compliance,
        results,
        figures,
        shipped_calibration(),
        pilot,
        counterfactual=pd.read_parquet(directory.counterfactual),
        readings=readings_of(directory),
        nulls=kept_nulls(directory),
        missing=tuple(name for name in directory.config.analyses if name not in names),
        agreed_verdicts=agreed[0] if agreed else None,
        agreement=agreed[1] if agreed else None,
    )
    contents = {
        **{directory.figure(name): png for name, png in figures.items()},
        **{directory.csv(path): pd.read_parquet(path).to_csv(index=False).encode() for path in tables},
        directory.report: render_report(content).encode(),
    }
    for path, data in contents.items():
        write_bytes(path, data)
    return list(contents)


def summary_text(directory: StudyDirectory) -> str:
    """What summary.json says: the model, the compliance and the claims, from the study's tables."""
    config = directory.config
    compliance = pd.read_parquet(directory.compliance).set_index("task")[
        ["constrained", "unconstrained", "n"]
    ]
    claims = {
        name: {
            "verdict": result.verdict.verdict,
            "effect": result.verdict.effect,
            "interval": list(result.verdict.interval),
            "p": result.verdict.p,
            "n": result.verdict.n,
            **asdict(result.evidence),
        }
        for name, result in ((name, directory.read_result(name)) for name in config.analyses)
    }
    return json_text({"model": config.model, "compliance": compliance.to_dict("index"), "claims": claims})
