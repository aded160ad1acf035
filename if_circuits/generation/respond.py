"""Generate and verify in one call: what a script does first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast
from warnings import warn

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.generation.batch_size import longest_prompt, usual_batch_size
from if_circuits.generation.responses import GenerationConfig, Prompts, generate, generate_conditions
from if_circuits.inputs import as_count, as_number
from if_circuits.interventions.hooks import Intervention, as_interventions
from if_circuits.models.settings import RunSettings
from if_circuits.progress import Progress, reporting
from if_circuits.tasks.judges.choice import usual_judges
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.verification import judged_properties, verify

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def respond(
    model: LoadedModel,
    prompts: Prompts | str,
    *,
    conditions: Mapping[str, Intervention | Sequence[Intervention]] | None = None,
    max_new_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    samples: int = 1,
    seed: int = 0,
    batch_size: int | None = None,
    judges: Mapping[str, str] | None = None,
    progress: Progress = None,
) -> pd.DataFrame:
    """The model's responses to prompts, under interventions or without, verified where the prompts have
    tasks.

    A response is determined by the model, its prompt, its sample number and the seed; the other prompts and
    the size of the batches make no difference. The conditions of a response share its sampling noise.

    Args:
        model: What `load_model` gave.
        prompts: A text, several, or a table such as `ifc.prompts` makes: prompt_id (unique), prompt, any
            others.
        conditions: Names with an intervention or several, `[]` for the intact model; each prompt is then
            answered under each. By default the model is left as it is.
        max_new_tokens: Where a response without end is cut; by default the preset's number.
        temperature: 0 is greedy decoding; by default the preset's, or the checkpoint's own.
        top_p: Tokens are sampled from the likeliest that together have this probability; by default as for
            `temperature`.
        samples: Responses to each prompt.
        seed: Of the sampling.
        batch_size: Responses side by side, by default the preset's number, or fewer where they would not fit
            into the free memory; changes time and memory only.
        judges: Judges in place of the model's usual ones, as `{"sentiment": "vader"}`.
        progress: None for a bar in notebooks and terminals; True, False, or a function of (done, in all).

    Returns:
        One row a response, with the prompts' columns and response_id, sample, temperature, response,
        prompt_tokens, response_tokens, n_tokens, truncated; `condition` where there are conditions; `verdict`
        and `reason` where the prompts have the columns task and parameters.

    Raises:
        InputError: For prompts without text or id, prompts too long for the model, and what is no
            intervention.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("json_format", n=2), temperature=0)
        >>> rows[["task", "verdict"]].values.tolist()
        [['json_format', 'satisfied'], ['json_format', 'satisfied']]
    """
    preset, usual = model.preset, RunSettings.of(model.preset)
    asked = [prompts] if isinstance(prompts, str) else prompts
    new = _count_or(max_new_tokens, "max_new_tokens", preset.max_new_tokens)
    config = GenerationConfig(
        max_new_tokens=new,
        temperature=_number_or(temperature, "temperature", usual.temperature),
        top_p=_number_or(top_p, "top_p", usual.top_p),
        samples_per_prompt=as_count(samples, "samples"),
        seed=as_count(seed, "seed", least=0),
        batch_size=(
            usual_batch_size(model, prompt=longest_prompt(model, _texts(asked)), new=new)
            if batch_size is None
            else as_count(batch_size, "batch_size")
        ),
    )
    if isinstance(asked, pd.DataFrame):
        _warn_of_training_prompts(model, asked)
    with reporting(progress, "responses") as report:
        if conditions is None:
            responses = generate(model, asked, config, progress=report)
        else:
            responses = generate_conditions(model, asked, config, _several(conditions), progress=report)
    if not {"task", "parameters"} <= set(responses.columns):
        return responses
    properties = judged_properties(responses["task"].unique())
    return verify(responses, chosen=usual_judges(preset, properties, chosen=(judges or {}).items()))


def _texts(asked: Prompts) -> list[str]:
    """What is asked; nothing of a table without it, which `generate` refuses."""
    texts = asked.get("prompt", ()) if isinstance(asked, pd.DataFrame) else asked
    return [str(text) for text in texts]


def _several(conditions: object) -> dict[str, Sequence[Intervention]]:
    if not isinstance(conditions, Mapping):
        raise InputError(
            f"conditions are {conditions!r}; give names with interventions, such as "
            '{"intact": [], "ablated": v.ablate(layers=3)}'
        )
    named = cast("Mapping[object, object]", conditions)
    return {str(name): as_interventions(given, f"condition {name!r}") for name, given in named.items()}


def _count_or(value: int | None, name: str, usual: int) -> int:
    return usual if value is None else as_count(value, name)


def _number_or(value: float | None, name: str, usual: float) -> float:
    return usual if value is None else as_number(value, name)


def _warn_of_training_prompts(model: LoadedModel, prompts: pd.DataFrame) -> None:
    """Say so where a model that was trained on this library's prompts is asked some of those."""
    if not model.preset.held_out_only or "base_query" not in prompts.columns:
        return
    seen = set(subjects(held_out_only=False)) - set(subjects(held_out_only=True))
    met = sorted(seen & set(cast("Iterable[str]", prompts["base_query"])))
    if met:
        warn(
            f"{model.name} wrote about {met[0]!r} and {len(met) - 1} other subjects of these prompts in "
            "training; ifc.prompts(..., held_out=True) draws others",
            stacklevel=3,
        )
