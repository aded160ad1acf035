"""The token view in a notebook: plain HTML without scripts, so that it works where no server is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.token_probes import TokenProbes, fit_token_probes
from if_circuits.errors import InputError
from if_circuits.monitor.saved import Saved, read_saved
from if_circuits.monitor.token_line import token_line
from if_circuits.report.along import WORDS, calibration_columns
from if_circuits.study.readings import read_tokens

if TYPE_CHECKING:
    from if_circuits.activations.source import ActivationSource
    from if_circuits.models.loading import LoadedModel


@dataclass(frozen=True, eq=False, repr=False)
class TokenReader:
    """A model and the probes that read along its responses."""

    model: LoadedModel
    probes: TokenProbes

    def __repr__(self) -> str:
        tasks = ", ".join(self.probes.tasks) or "no task"
        return f"TokenReader({self.model.name}: probes of {tasks} at {len(self.probes.layers)} layers)"


@dataclass(frozen=True, eq=False)
class _Answer:
    """One answer with its readings, wherever they come from."""

    name: str
    tokens: tuple[str, ...]
    """After an empty one for the prompt's end."""
    readings: Float[np.ndarray, "tokens layers tasks"]
    words: Float[np.ndarray, "tokens tasks"]
    verdict: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Shown:
    """What `show` gives: a notebook displays it, and `html` is the same as text."""

    html: str

    def __repr__(self) -> str:
        return "Shown: a notebook displays the tokens; `html` holds them"

    def _repr_html_(self) -> str:
        return self.html


def token_probes(
    model: LoadedModel, acts: ActivationSource, *, settings: AnalysisSettings | None = None
) -> TokenReader:
    """Probes to read responses token by token with, fitted along captured responses.

    One fold of the base queries is held out: its responses are those to look at, and say what a reading is
    worth.

    Args:
        model: What `load_model` gave.
        acts: Captured responses with verdicts: what `ifc.capture` gives, or `study.activations`.
        settings: Folds and seed.

    Raises:
        InputError: Where no task has enough labelled responses.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("sentiment", n=60), progress=False)
        >>> ifc.token_probes(model, ifc.capture(model, rows, layers=[3], progress=False))
        TokenReader(if-tiny: probes of sentiment at 1 layers)
    """
    found = fit_token_probes(acts, settings or AnalysisSettings())
    if not found.tasks:
        raise InputError(f"there is no probe to read with: {'; '.join(found.left_out.values())}")
    return TokenReader(model, found)


def show(
    answer: pd.Series | pd.DataFrame | Saved | str | Path,
    probes: TokenReader | None = None,
    *,
    task: str | None = None,
    layer: int | None = None,
) -> Shown:
    """The tokens of an answer in the colour of what a probe reads at each, over what the words alone say.

    Args:
        answer: A row of what `ifc.respond` gives, or a file that the monitor saved.
        probes: What `ifc.token_probes` gives; a saved answer has its readings already.
        task: Whose probe colours the tokens; by default the answer's own task.
        layer: At which layer; by default where held-out responses are read best.

    Raises:
        InputError: For a row without tokens, several rows, or a task or layer without a probe.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("sentiment", n=60), progress=False)
        >>> reader = ifc.token_probes(model, ifc.capture(model, rows, layers=[3], progress=False))
        >>> "probe of sentiment, layer 3" in ifc.show(rows.iloc[0], probes=reader).html
        True
    """
    if isinstance(answer, pd.Series | pd.DataFrame):
        return _show_row(answer, probes, task, layer)
    saved = read_saved(answer) if isinstance(answer, str | Path) else answer
    answers = [
        _Answer(
            each.name,
            each.tokens,
            each.readings,
            each.words,
            "" if each.verdict is None else each.verdict["label"],
            "" if each.verdict is None else each.verdict["reason"],
        )
        for each in saved.answers
    ]
    known = {spot: value for spot, value in saved.aurocs.items() if value is not None}
    return _shown(
        saved.prompt, answers, saved.tasks, saved.layers, known, saved.calibration, task or saved.task, layer
    )


def _show_row(
    answer: pd.Series | pd.DataFrame, reader: TokenReader | None, task: str | None, layer: int | None
) -> Shown:
    if isinstance(answer, pd.DataFrame):
        if len(answer) != 1:
            raise InputError(f"show one answer at a time: rows.iloc[0], not {len(answer)} rows")
        answer = answer.iloc[0]
    if reader is None:
        raise InputError("a row has no readings of its own: give probes=ifc.token_probes(model, acts)")
    row = cast("Mapping[str, Any]", answer.to_dict())
    if missing := {"prompt_tokens", "response_tokens", "n_tokens"} - set(row):
        raise InputError(
            f"the answer lacks {', '.join(sorted(missing))}; give a row of what ifc.respond gives"
        )
    prompt = list(row["prompt_tokens"])
    response = list(row["response_tokens"])[: int(row["n_tokens"])]
    probes = reader.probes
    X = read_tokens(reader.model, prompt, response, probes.layers)
    by_layer = [probes.read(each, X[each]) for each in probes.layers]
    words = probes.read_words(prompt, response)
    found = _Answer(
        "",
        ("", *reader.model.chat.pieces(response)),
        np.stack([np.stack([each[name] for name in probes.tasks], -1) for each in by_layer], 1),
        np.stack([words[name] for name in probes.tasks], -1),
        str(row.get("verdict", "")),
        str(row.get("reason", "")),
    )
    aurocs = {f"{name} {WORDS if at is None else at}": value for (name, at), value in probes.aurocs.items()}
    own = str(row["task"]) if "task" in row else None
    return _shown(
        str(row.get("prompt", "")),
        [found],
        probes.tasks,
        probes.layers,
        aurocs,
        calibration_columns(probes.calibration),
        task or own,
        layer,
    )


def _shown(
    prompt: str,
    answers: Sequence[_Answer],
    tasks: Sequence[str],
    layers: Sequence[int],
    aurocs: Mapping[str, float],
    calibration: Mapping[str, Any],
    task: str | None,
    layer: int | None,
) -> Shown:
    if not tasks:
        raise InputError("this answer was saved without readings: there was no study to read with")
    task = task if task is not None else tasks[0]
    if task not in tasks:
        raise InputError(f"there is no probe of {task!r}; give task=, one of {', '.join(tasks)}")

    def best(name: str) -> int:
        return max(layers, key=lambda each: np.nan_to_num(aurocs.get(f"{name} {each}", 0.0)))

    chosen = best(task) if layer is None else layer
    if chosen not in layers:
        raise InputError(f"there is no probe at layer {chosen}; layers are {', '.join(map(str, layers))}")
    parts = [f'<p style="white-space: pre-wrap"><b>{escape(prompt)}</b></p>']
    for answer in answers:
        verdict = f"{answer.name} {answer.verdict}: {answer.reason}" if answer.verdict else answer.name
        parts.append(f"<p><small>{escape(verdict)}</small></p>")

        def line(name: str, at: int, answer: _Answer = answer) -> str:
            i, j = list(layers).index(at), list(tasks).index(name)
            return token_line(
                answer.tokens,
                answer.readings[:, i, j],
                answer.words[:, j],
                task=name,
                layer=at,
                bins=calibration.get(f"{name} {at}", ()),
            )

        others = "".join(line(name, best(name)) for name in tasks if name != task)
        parts.append(line(task, chosen))
        if others:
            parts.append(f"<details><summary>The other tasks' probes</summary>{others}</details>")
    parts.append(
        "<p><small>Blue: satisfied, orange: violated, white: undecided. The strip under a token is what a "
        "classifier of the words so far says.</small></p>"
    )
    return Shown(f'<div style="max-width: 60em">{"".join(parts)}</div>')
