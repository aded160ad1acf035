"""The page of the monitor: the report's token view, fed while the model writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from if_circuits.monitor.switches import CONTROLS, LONGEST_STEER
from if_circuits.report.inline import DRAWING, files_of, inlined, island
from if_circuits.report.wording import model_title

if TYPE_CHECKING:
    from if_circuits.monitor.subject import Subject


@dataclass(frozen=True)
class Page:
    """HTML, and the policy that goes with it in a header."""

    html: str
    policy: str


def render_page(subject: Subject) -> Page:
    """The page for a model and its study."""
    scripts = [*files_of("if_circuits.report", "scripts", DRAWING, ".js")]
    scripts += files_of("if_circuits.monitor", "files", ("stream", "monitor"), ".js")
    styles = [
        *files_of("if_circuits.report", "styles", ("base",), ".css"),
        *files_of("if_circuits.monitor", "files", ("monitor",), ".css"),
    ]
    parts = inlined(scripts, styles, also="; connect-src 'self'; frame-ancestors 'none'")
    environment = Environment(
        loader=PackageLoader("if_circuits.monitor", "files"), autoescape=True, undefined=StrictUndefined
    )
    told = {**subject.to_json(), "controls": CONTROLS, "longest_steer": LONGEST_STEER}
    html = environment.get_template("monitor.html").render(
        model=model_title(subject.model.name),
        style=Markup(parts.style),
        script=Markup(parts.script),
        told=Markup(island(told)),
    )
    return Page(html, parts.policy)
