"""Responses to prompts: batched, sampled or greedy, under interventions or without.

A response is determined by the model, its prompt, its sample number and the seed. Batch size, order and
the other prompts make no difference, so parts of a study can be generated apart and again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.generation.batches import Shrinking, of_like_length
from if_circuits.generation.decoding import decode
from if_circuits.interventions.hooks import Intervention, intervene_by_row
from if_circuits.models.reading import reading
from if_circuits.progress import Report

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel
    from if_circuits.models.settings import RunSettings

Prompts: TypeAlias = pd.DataFrame | Sequence[str]
"""A table with the columns prompt_id (unique) and prompt, and any others; or texts, which get the ids "0",
"1", ..."""


@dataclass(frozen=True)
class GenerationConfig:
    """How responses are generated."""

    max_new_tokens: int
    """A response that has no EOS among so many tokens is truncated."""
    temperature: float = 1.0
    """0 is greedy decoding."""
    top_p: float = 1.0
    """Sampled tokens are among the likeliest that together have this probability; 1 leaves all."""
    samples_per_prompt: int = 1
    seed: int = 0
    batch_size: int = 64
    """Responses generated side by side; changes speed and memory only."""

    @classmethod
    def of(
        cls,
        run_settings: RunSettings,
        *,
        temperature: float | None = None,
        samples_per_prompt: int = 1,
        seed: int = 0,
    ) -> GenerationConfig:
        """Length, sampling and batches as the model is run; `temperature` takes its place, 0 for greedy."""
        return cls(
            max_new_tokens=run_settings.max_new_tokens,
            temperature=run_settings.temperature if temperature is None else temperature,
            top_p=run_settings.top_p,
            samples_per_prompt=samples_per_prompt,
            seed=seed,
            batch_size=run_settings.batch_size,
        )

    def __post_init__(self) -> None:
        if min(self.max_new_tokens, self.samples_per_prompt, self.batch_size) < 1:
            raise InputError(
                "max_new_tokens, samples_per_prompt and batch_size must be at least 1, got "
                f"{self.max_new_tokens}, {self.samples_per_prompt} and {self.batch_size}"
            )
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature must be 0 (greedy) or positive, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p must be above 0 and at most 1 (all tokens), got {self.top_p}")
        if self.temperature == 0 and self.samples_per_prompt > 1:
            raise InputError(
                f"greedy decoding gives {self.samples_per_prompt} times the same response; "
                "set samples_per_prompt to 1, or a temperature above 0"
            )


def generate(
    model: LoadedModel,
    prompts: Prompts,
    config: GenerationConfig,
    *,
    interventions: Sequence[Intervention] = (),
    progress: Report | None = None,
) -> pd.DataFrame:
    """One row a response, in the order of the prompts, with the prompts' columns and these:

    response_id ("prompt_id/sample"), sample, temperature, response (text), prompt_tokens, response_tokens
    (ids, with the EOS where it came), n_tokens (without the EOS), truncated.

    Of a model that thinks first (`models.thinking`) the thinking stands at the end of prompt_tokens, and
    n_thinking counts its tokens. One whose thinking does not end has an empty response, which is truncated.

    Raises InputError for prompts without the columns prompt_id and prompt, and for prompts that leave no
    room for max_new_tokens in the model's context.
    """
    (responses,) = _generate(model, prompts, config, [interventions], progress)
    return responses


def generate_conditions(
    model: LoadedModel,
    prompts: Prompts,
    config: GenerationConfig,
    conditions: Mapping[str, Sequence[Intervention]],
    *,
    only: Mapping[str, Collection[str]] | None = None,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The responses of `generate` under the interventions of each condition, in one run; adds the column
    condition.

    Ordered by condition, then by prompt; response_id is "prompt_id/sample/condition". The conditions of a
    response share its sampling noise. Rows of one batch carry different conditions, so many of them over
    few prompts fill it. A condition that `only` names is for the prompts with these ids, and for no others.
    """
    if not conditions:
        raise InputError("there are no conditions; an empty sequence of interventions is the intact model")
    tables = _generate(model, prompts, config, list(conditions.values()), progress, _asked(conditions, only))
    named = [(name, table) for name, table in zip(conditions, tables, strict=True) if len(table)]
    for name, table in named:
        table.insert(list(table.columns).index("response_id"), "condition", name)
        table["response_id"] += f"/{name}"
    return pd.concat([table for _, table in named], ignore_index=True)


def _asked(
    conditions: Mapping[str, object], only: Mapping[str, Collection[str]] | None
) -> list[Collection[str] | None]:
    """The prompts of each condition, by id; None for all."""
    only = only or {}
    if unknown := sorted(set(only) - set(conditions)):
        raise InputError(f"there is no condition {unknown[0]!r}; expected one of {', '.join(conditions)}")
    return [only.get(name) for name in conditions]


def _generate(
    model: LoadedModel,
    prompts: Prompts,
    config: GenerationConfig,
    conditions: Sequence[Sequence[Intervention]],
    progress: Report | None,
    asked: Sequence[Collection[str] | None] | None = None,
) -> list[pd.DataFrame]:
    """One table for each condition."""
    prompts = _as_table(prompts)
    encoded = encode_prompts(model, prompts, config)
    prompt_ids = [str(name) for name in prompts["prompt_id"]]
    # A context is one prompt under one condition; its samples share the reading of the prompt.
    pairs = [
        (c, i)
        for c, ids in enumerate(asked or [None] * len(conditions))
        for i in range(len(encoded))
        if ids is None or prompt_ids[i] in ids
    ]
    device = model.device
    condition_of, prompt_of = torch.tensor(pairs, dtype=torch.long, device=device).reshape(-1, 2).unbind(1)
    contexts = [encoded[i] for _, i in pairs]
    lengths = torch.tensor([len(ids) for ids in encoded], device=device)
    # Where no condition touches a prompt before its last token, all of them share the reading up to there.
    intact = not any(each.scope.prompt for condition in conditions for each in condition)
    several = len(conditions) > 1
    shared = intact and several and int(lengths.min()) > 1
    order = sorted(range(len(pairs)), key=lambda at: (len(contexts[at]), pairs[at][1]))
    jobs = [(context, sample) for context in order for sample in range(config.samples_per_prompt)]

    generated: dict[tuple[int, int], list[int]] = {}
    with reading(model), intervene_by_row(model, conditions) as reader:

        def assign(batch: Int[Tensor, " batch"]) -> None:
            prompts = prompt_of[batch]
            reader.assign(
                prompts=prompts,
                lengths=lengths[prompts],
                conditions=condition_of[batch] if several else None,
            )

        def respond(some: Sequence[tuple[int, int]], width: int) -> None:
            noise = np.stack(
                [_noise(config, prompt_ids[pairs[context][1]], sample) for context, sample in some]
            )

            def keep(number: int, tokens: list[int]) -> None:
                generated[some[number]] = tokens
                if progress is not None:
                    progress(len(generated), len(jobs))

            decode(
                model,
                contexts,
                [context for context, _ in some],
                max_new_tokens=config.max_new_tokens,
                width=width,
                temperature=config.temperature,
                top_p=config.top_p,
                noise=torch.from_numpy(noise).to(device),
                stems=[i for _, i in pairs] if shared else None,
                start_shared=intact,
                on_batch=assign,
                on_end=keep,
            )

        shrinking = Shrinking(config.batch_size, what="generation")
        for some in of_like_length(jobs, contexts):
            left = some
            while left:
                with shrinking:
                    respond(left, shrinking.size)
                    break
                left = [job for job in left if job not in generated]
    samples = range(config.samples_per_prompt)
    tables: list[pd.DataFrame] = []
    for c in range(len(conditions)):
        of_condition = [(at, i) for at, (of, i) in enumerate(pairs) if of == c]
        mine = [i for _, i in of_condition]
        written = [generated[at, sample] for at, _ in of_condition for sample in samples]
        tables.append(response_table(model, prompts.iloc[mine], config, [encoded[i] for i in mine], written))
    return tables


def _as_table(prompts: Prompts) -> pd.DataFrame:
    if isinstance(prompts, pd.DataFrame):
        return prompts
    if isinstance(prompts, str):
        raise InputError(f"prompts are a table or a list of texts; give [{prompts!r}] for one")
    return pd.DataFrame({"prompt_id": [str(i) for i in range(len(prompts))], "prompt": list(prompts)})


def encode_prompts(model: LoadedModel, prompts: pd.DataFrame, config: GenerationConfig) -> list[list[int]]:
    """The tokens of each prompt through the chat template. Raises InputError as `generate` does."""
    missing = [column for column in ("prompt_id", "prompt") if column not in prompts.columns]
    if missing or prompts.empty:
        raise InputError(
            "prompts need at least one row and the columns prompt_id and prompt, "
            f"got {len(prompts)} rows with {', '.join(map(str, prompts.columns)) or 'no columns'}"
        )
    if prompts["prompt_id"].duplicated().any():
        twice = prompts["prompt_id"][prompts["prompt_id"].duplicated()].iloc[0]
        raise InputError(f"prompt_id {twice!r} occurs twice; each prompt needs an id of its own")
    rows = model.chat.encode([str(text) for text in prompts["prompt"]])
    for prompt_id, ids in zip(prompts["prompt_id"], rows, strict=True):
        if len(ids) + config.max_new_tokens > model.context_length:
            raise InputError(
                f"prompt {prompt_id!r} has {len(ids)} tokens and {config.max_new_tokens} new ones: more than "
                f"the {model.context_length} of {model.name}'s context; shorten it or lower max_new_tokens"
            )
    return rows


def _noise(config: GenerationConfig, prompt_id: str, sample: int) -> Float[np.ndarray, " max_new_tokens"]:
    """Uniform numbers that depend on seed, prompt and sample alone; more tokens only add to them."""
    key = hashlib.blake2b(repr((config.seed, prompt_id, sample)).encode(), digest_size=16).digest()
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))
    return stream.random(config.max_new_tokens)


def response_table(
    model: LoadedModel,
    prompts: pd.DataFrame,
    config: GenerationConfig,
    encoded: list[list[int]],
    responses: list[list[int]],
) -> pd.DataFrame:
    """What `generate` gives, of the tokens of each prompt, and of each of its samples in turn."""
    per_prompt = config.samples_per_prompt
    table = prompts.iloc[np.repeat(np.arange(len(prompts)), per_prompt)].reset_index(drop=True)
    sample = np.tile(np.arange(per_prompt), len(prompts))
    prompt_tokens = [ids for ids in encoded for _ in range(per_prompt)]
    if model.chat.thinking.kind == "first":
        thought = [
            model.chat.n_thinking(prompt, ids) for prompt, ids in zip(prompt_tokens, responses, strict=True)
        ]
        table["n_thinking"] = thought
        parts = list(zip(prompt_tokens, responses, thought, strict=True))
        prompt_tokens = [[*prompt, *ids[:n]] for prompt, ids, n in parts]
        responses = [ids[n:] for _, ids, n in parts]
    ended = [bool(ids) and ids[-1] in model.chat.eos_ids for ids in responses]
    texts = [ids[:-1] if end else ids for ids, end in zip(responses, ended, strict=True)]
    return table.assign(
        response_id=[f"{p}/{s}" for p, s in zip(table["prompt_id"], sample, strict=True)],
        sample=sample,
        temperature=config.temperature,
        response=[model.chat.decode(ids) for ids in texts],
        prompt_tokens=pd.Series(prompt_tokens, dtype=object),
        response_tokens=pd.Series(responses, dtype=object),
        n_tokens=[len(ids) for ids in texts],
        truncated=[not end for end in ended],
    )
