"""The report: a study on one self-contained page, which needs no network and no other file.

The words and numbers are in the page as HTML. What can be looked into is in it as JSON, which scripts of this
package draw; the page's policy lets these scripts run and nothing else. What a model or a user wrote is data:
it is escaped here, and the scripts put it in as text.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.shared.families import families_of
from if_circuits.plotting.families import family_colours
from if_circuits.plotting.numbers import format_number, format_p
from if_circuits.plotting.style import task_label
from if_circuits.report.along import reading_columns
from if_circuits.report.checklist import checklist
from if_circuits.report.evidence import (
    Texts,
    answer_columns,
    response_columns,
    score_groups,
    shown_rows,
)
from if_circuits.report.examples import choose_examples
from if_circuits.report.facts import StudyFacts
from if_circuits.report.inline import REPORT, files_of, inlined, island
from if_circuits.report.judges import judged_tasks, repeated
from if_circuits.report.nulls import exchanged
from if_circuits.report.numbers import num
from if_circuits.report.plain import EFFECTS, sentence
from if_circuits.report.readings import Readings
from if_circuits.report.tables import view_table
from if_circuits.report.views import views
from if_circuits.report.wording import model_title, wording

_LONGEST_EXAMPLE = 1500
"""Characters of a text among the examples."""


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of."""

    record: Mapping[str, Any]
    """study.json: configuration, model, versions, cost of each stage."""
    responses: pd.DataFrame
    """Verified responses."""
    compliance: pd.DataFrame
    """As `analyses.compliance.analysis.compliance_table` gives it."""
    results: Mapping[str, AnalysisResult]
    figures: Mapping[str, bytes]
    """PNG by name: one named after each analysis, and `compliance`."""
    calibration: Mapping[str, Any] | None = None
    """`summary.json` of a calibration (`make calibrate`), where there is one."""
    pilot: pd.DataFrame | None = None
    """What the pilot found of each grade (`study.pilot.pilot_table`), where there was one."""
    counterfactual: pd.DataFrame | None = None
    """The counterfactual pairs, where there are any."""
    nulls: pd.DataFrame | None = None
    """Verdicts where there is nothing to find (`study.nulls.kept`), where they were drawn."""
    readings: Readings | None = None
    """What probes read along a sample of responses."""
    missing: tuple[str, ...] = ()
    """Analyses that the study was asked for and that are not done."""
    agreement: pd.DataFrame | None = None
    """What two judges make of the responses (`study.agreement.agreement_table`), where a second was asked."""
    agreed_verdicts: pd.DataFrame | None = None
    """The verdicts on the labels on which the two agree (`study.agreement.verdicts_on`)."""


def render_report(content: ReportContent) -> str:
    """The report as HTML. Everything that a model or a user wrote is escaped."""
    environment = Environment(
        loader=PackageLoader("if_circuits.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=format_number, p_value=format_p, percent=_percent, label=task_label)
    environment.filters["short"] = _short
    figures = {name: b64encode(png).decode("ascii") for name, png in content.figures.items()}
    study, note = _study(content)
    parts = inlined(
        files_of("if_circuits.report", "scripts", REPORT, ".js"),
        files_of("if_circuits.report", "styles", ("base", "report"), ".css"),
    )
    return environment.get_template("report.html").render(
        title=model_title(content.record["model"]["name"]),
        record=content.record,
        configuration=_configuration(content.record["config"]),
        compliance=content.compliance.to_dict("records"),
        compliance_figure=figures.get("compliance"),
        pilot=[] if content.pilot is None else content.pilot.to_dict("records"),
        pilot_figure=figures.get("pilot"),
        judges=judged_tasks(content.responses, content.record.get("judges", {})),
        agreement=[] if content.agreement is None else content.agreement.to_dict("records"),
        agreed=repeated(content.results, content.agreed_verdicts),
        no_second_judge=content.agreement is None,
        sections=[
            _section(result, figures.get(name), has_views=name in study["views"])
            for name, result in content.results.items()
        ],
        checklist=checklist(
            StudyFacts(
                content.record,
                content.responses,
                content.compliance,
                content.results,
                content.calibration,
                content.nulls,
            )
        ),
        examples=choose_examples(content.responses).to_dict("records"),
        missing=[wording(name).title for name in content.missing],
        n_responses=len(content.responses),
        n_base_queries=content.responses["base_query"].nunique(),
        browser_note=note,
        inlined=parts,
        style=Markup(parts.style),
        script=Markup(parts.script),
        study=Markup(island(study)),
    )


def shipped_calibration() -> Mapping[str, Any] | None:
    """The summary of a calibration (`make calibrate`) that ships with this version; None when none does."""
    path = files("if_circuits") / "assets" / "calibration.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _section(result: AnalysisResult, figure: str | None, *, has_views: bool) -> dict[str, Any]:
    """The card of one verdict."""
    name, verdict = result.name, result.verdict
    effect_name, middle = EFFECTS.get(name, ("effect", None))
    low, high = map(num, verdict.interval)
    line = {"value": num(verdict.effect), "low": low, "high": high, "mark": middle}
    return {
        "name": name,
        "wording": wording(name),
        "verdict": verdict,
        "sentence": sentence(name, verdict),
        "effect_name": effect_name,
        "effect": json.dumps(line if line["value"] is not None else {}),
        "has_effect": line["value"] is not None,
        "evidence": result.evidence,
        "figure": figure,
        "has_views": has_views,
        "tables": [
            view_table(name, result.table, path=f"results/{name}.parquet"),
            *(
                view_table(extra, table, path=f"results/{name}.{extra}.parquet")
                for extra, table in result.tables.items()
            ),
        ],
    }


def _study(content: ReportContent) -> tuple[dict[str, Any], str]:
    """What the scripts draw, and a sentence on how much of the study it holds."""
    rows = shown_rows(content.responses, content.counterfactual)
    held = Texts()
    family_of = families_of(content.responses)
    colours = family_colours(family_of.values())
    pairs = 0 if content.counterfactual is None else len(content.counterfactual)
    total = len(content.responses) + pairs
    labelled = [content.responses, *([] if content.counterfactual is None else [content.counterfactual])]
    known = [table for table in labelled if "response_id" in table]
    null = exchanged(
        content.results,
        pd.concat([table[["response_id", "base_query", "verdict"]] for table in known], ignore_index=True)
        if known
        else pd.DataFrame(columns=["response_id", "base_query", "verdict"]),
    )
    data = {
        "tasks": {task: {"family": family, "colour": colours[family]} for task, family in family_of.items()},
        "positions": list(POSITIONS),
        "views": views(content.results, content.compliance, null),
        "responses": response_columns(rows, held),
        "scores": score_groups(content.results, rows),
        "answers": answer_columns(content.results.get("causal_ablation"), held),
        "readings": reading_columns(content.readings),
        "texts": held.all,
    }
    all_of_them = "all" if len(rows) == total else "as many as fit of the"
    return data, f"This page holds {len(rows)} rows, {all_of_them} {total} that the study has."


def _short(text: str) -> str:
    """An example's text, cut where nobody would read on; control characters are replaced."""
    clean = "".join(each if each >= " " or each in "\n\t" else "\ufffd" for each in text)
    if len(clean) <= _LONGEST_EXAMPLE:
        return clean
    return f"{clean[:_LONGEST_EXAMPLE]}… (of {len(clean):,} characters)"


def _percent(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.0f} %"


def _configuration(config: Mapping[str, Any]) -> dict[str, object]:
    """Configuration as a flat list of what was asked for."""
    flat = {**config, **config.get("settings", {})}
    flat.pop("settings", None)
    return {
        name: "default" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in flat.items()
    }
