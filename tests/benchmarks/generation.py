"""Plain responses: tokens a second against Hugging Face's own generation and TransformerLens's.

All sides get the same prompts, tokenized alike, in one batch. A token counts up to its response's
EOS. What the alternatives write is compared with what ours writes where both are greedy; rounding alone can
tell them apart. SmolLM2 is measured where its package is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loaded import LoadedModel
from if_circuits.models.loading import load_model, load_plain
from if_circuits.models.padding import pad
from if_circuits.models.places import locate
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.suites.choice import get_suite
from tests.benchmarks.limits import Matrices, copy_bound, matrix_bound, writing
from tests.benchmarks.table import Limit, Row
from tests.benchmarks.timing import Bound, Repeats, interleaved

if TYPE_CHECKING:
    from transformers import PreTrainedModel

REPEATS = 3
HF = "Hugging Face generate, sdpa"
BRIDGE = "TransformerBridge.generate"
OWN = "ours with the bridge's attention"

Tokens: TypeAlias = list[list[int]]
"""New tokens of each prompt, with the EOS where it came."""
Write: TypeAlias = Callable[[Int[Tensor, "batch longest"], Int[Tensor, "batch longest"]], Any]
"""Left-padded ids and their mask in; ids with what was written after them out."""


@dataclass(frozen=True)
class Case:
    """What is asked of a model."""

    model: str
    prompts: int
    max_new_tokens: int
    reach: Mapping[str, str]
    """What ours is compared with, and what the ratio should be."""
    share: str = ""
    """What the share of the limit should be."""
    sampled: bool = False

    def __str__(self) -> str:
        how = "sampled as in a study" if self.sampled else "greedy"
        return f"{self.prompts} responses of {self.model}, {how}, at most {self.max_new_tokens} tokens"


CASES = (
    Case("if-tiny", 256, 64, {HF: "> 1", BRIDGE: "> 1", OWN: "> 1"}),
    Case("if-tiny", 256, 64, {HF: "> 1"}, sampled=True),
    Case("if-tiny", 1, 64, {HF: "> 1", BRIDGE: "> 1"}),
    Case("smollm2-135m", 64, 32, {HF: "> 1", BRIDGE: "> 1", OWN: ">= 1.25"}, share=">= 0.5"),
    Case("smollm2-135m", 64, 32, {HF: "> 1"}, share=">= 0.5", sampled=True),
    Case("smollm2-135m", 1, 32, {HF: "> 1", BRIDGE: "> 1"}),
)
"""All prompts of a case stand side by side."""


def rows() -> list[Row]:
    """Tokens a second of each side, and what the machine allows."""
    found = list[Row]()
    for name in dict.fromkeys(case.model for case in CASES):
        try:
            locate(name)
        except InputError:
            sys.stderr.write(f"generation: {name} is not installed, so its rows are left out\n")
            continue
        model = load_model(name)
        hf = load_plain(model)
        hf.set_attn_implementation("sdpa")
        for case in CASES:
            if case.model == name:
                found += measured(case, model, hf)
    return found


def measured(case: Case, model: LoadedModel, hf: PreTrainedModel, *, repeats: int = REPEATS) -> list[Row]:
    """The rows of one case."""
    prompts, settings = prompts_for(model, case.prompts), model.preset
    config = GenerationConfig(
        max_new_tokens=case.max_new_tokens,
        temperature=(settings.temperature or 1.0) if case.sampled else 0.0,
        top_p=(settings.top_p or 1.0) if case.sampled else 1.0,
        batch_size=case.prompts,
    )
    responses = generate(model, prompts, config)
    mine: Tokens = list(responses["response_tokens"])
    encoded, written = model.chat.encode([str(text) for text in prompts["prompt"]]), dict[str, Tokens]()
    sides: dict[str, Callable[[], Tokens]] = {
        HF: lambda: side_by_side(hf_generate(hf, model, config), encoded, model),
        BRIDGE: lambda: side_by_side(bridge_generate(model, config), encoded, model),
        OWN: lambda: through_the_bridge(model, prompts, config),
    }
    bound = bound_of(responses, Matrices.of(hf), config)
    taken = interleaved(
        lambda: generate(model, prompts, config),
        {name: lambda name=name: written.update({name: sides[name]()}) for name in case.reach},
        repeats=repeats,
        bound=bound,
    )
    assert taken.bound is not None
    rate, at_best = _rate(mine, taken.ours), _rate(mine, taken.bound)
    limit = Limit.of(bound.described(taken.bound), rate, at_best, unit="tokens/s", reach=case.share)
    return [
        Row.of(
            str(case),
            rate,
            name if case.sampled else f"{name}, {_equal(written[name], mine)} answers equal",
            _rate(written[name], seconds),
            reach=case.reach[name],
            unit="tokens/s",
            limit=limit,
        )
        for name, seconds in taken.others.items()
    ]


def prompts_for(model: LoadedModel, n: int) -> pd.DataFrame:
    """Constrained prompts as a study of the model asks them, of all tasks."""
    tasks, settings = get_tasks(), model.preset
    asked = build_prompts(
        tasks,
        n_base_queries=-(-n // len(tasks)),
        prompts_per_query=1,
        held_out_only=settings.held_out_only,
        suite=get_suite(settings.suite),
    )
    return asked[asked["constrained"]].sample(n, random_state=0).reset_index(drop=True)


def bound_of(responses: pd.DataFrame, matrices: Matrices, config: GenerationConfig) -> Bound:
    """Matrix products at the sizes of the steps; of a single row, the weights read from memory each step."""
    steps, reading = writing(responses, batch_size=config.batch_size)
    if steps.rows > 1:
        return matrix_bound(matrices, steps, reading)
    return copy_bound((1 + steps.tokens) * matrices.bytes, at_a_time=matrices.bytes)


def hf_generate(hf: PreTrainedModel, model: LoadedModel, config: GenerationConfig) -> Write:
    """Hugging Face's `generate`."""
    from transformers import GenerationConfig as Settings

    drawn = {"temperature": config.temperature, "top_p": config.top_p, "top_k": 0}
    settings = Settings(
        max_new_tokens=config.max_new_tokens,
        do_sample=config.temperature > 0,
        eos_token_id=list(model.chat.eos_ids),
        pad_token_id=model.chat.pad_id,
        **(drawn if config.temperature > 0 else {}),
    )
    write: Any = hf.generate
    return lambda ids, mask: write(input_ids=ids, attention_mask=mask, generation_config=settings)


def bridge_generate(model: LoadedModel, config: GenerationConfig) -> Write:
    """TransformerLens's `generate`, which knows one EOS."""
    drawn: dict[str, Any] = {"temperature": config.temperature, "top_p": config.top_p}
    return lambda ids, mask: model.bridge.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=model.chat.eos_ids[0],
        do_sample=config.temperature > 0,
        return_type="tokens",
        verbose=False,
        **(drawn if config.temperature > 0 else {}),
    )


def side_by_side(write: Write, encoded: Sequence[Sequence[int]], model: LoadedModel) -> Tokens:
    """What is written after each prompt, all in one batch."""
    torch.manual_seed(0)
    ids, mask = pad(encoded, model.chat.pad_id, side="left")
    with torch.no_grad():
        rows = write(ids, mask)[:, ids.shape[1] :].tolist()
    ends = (
        next((at for at, token in enumerate(row) if token in model.chat.eos_ids), len(row)) for row in rows
    )
    return [row[: end + 1] for row, end in zip(rows, ends, strict=True)]


def through_the_bridge(model: LoadedModel, prompts: pd.DataFrame, config: GenerationConfig) -> Tokens:
    """Ours with a hook inside attention that changes nothing, so that the bridge computes it."""

    def same(tensor: Tensor, hook: object) -> Tensor:
        del hook
        return tensor

    with model.bridge.hooks(fwd_hooks=[("blocks.0.attn.hook_in", same)]):
        return list(generate(model, prompts, config)["response_tokens"])


def _rate(written: Tokens, seconds: Repeats) -> Repeats:
    return sum(map(len, written)) / seconds


def _equal(written: Tokens, ours: Tokens) -> str:
    same = sum(list(one) == list(other) for one, other in zip(written, ours, strict=True))
    return f"{same} of {len(ours)}"
