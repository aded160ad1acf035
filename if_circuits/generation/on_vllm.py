"""Responses without interventions, written by vLLM where it is installed: one model, held while it is open.

vLLM reads the checkpoint where the bridge was loaded from, and gets the tokens of the same chat template. Its
arithmetic differs from the bridge's in the last bits, and it samples by its own random numbers. So its
greedy responses may part from the bridge's at a near tie, and its samples are others of the same
distribution. A study records which of the two wrote.

It is written to the interface that vLLM documents for offline inference (`LLM.generate`, `SamplingParams`).
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import torch

from if_circuits.errors import InputError
from if_circuits.generation.responses import encode_prompts, response_table
from if_circuits.models.memory import free_memory

if TYPE_CHECKING:
    import pandas as pd

    from if_circuits.generation.responses import GenerationConfig
    from if_circuits.models.loading import LoadedModel
    from if_circuits.progress import Report

_OF_THE_FREE_MEMORY = 0.9
"""What vLLM may take of a GPU; the bridge's weights lie there already."""
_OF_THE_HOSTS = 0.25
"""What keys and values may take of the host's free memory, where vLLM computes on CPUs. It would take nearly
all, of one node's, where nothing is said."""
_AT_A_TIME = 1024
"""Responses that are asked for together: after so many there is a word of progress. vLLM makes its own
batches of them."""


class Writer(Protocol):
    """What writes responses: `generation.responses.generate` without interventions, or something like it."""

    def __call__(
        self,
        model: LoadedModel,
        prompts: pd.DataFrame,
        config: GenerationConfig,
        *,
        progress: Report | None = None,
    ) -> pd.DataFrame:
        """One row a response, as `generate` gives it."""
        ...


def check_for_vllm(model: LoadedModel) -> None:
    """Raise InputError where vLLM is not installed, or would not write with the same weights."""
    if find_spec("vllm") is None:
        raise InputError(
            "generator vllm needs the package vllm, which is not installed here; install it where there is a "
            "GPU that it supports (pip install vllm), or leave the generator at bridge"
        )
    if model.source is None:
        raise InputError(
            "generator vllm loads a checkpoint by name, and this model was a bridge in hand; give load_model "
            "its directory or hub name, or leave the generator at bridge"
        )
    if model.dequantised_from is not None:
        raise InputError(
            f"generator vllm would compute with the {model.dequantised_from} weights of {model.source}, and "
            "the bridge with what they stand for; leave the generator at bridge"
        )


@contextmanager
def on_vllm() -> Generator[Writer]:
    """What writes with vLLM; the first model that writes is loaded then, and let go at the end.

    Its writer raises InputError as `check_for_vllm` does, and at a response that vLLM did not finish.
    """
    held: list[Any] = []

    def write(
        model: LoadedModel,
        prompts: pd.DataFrame,
        config: GenerationConfig,
        *,
        progress: Report | None = None,
    ) -> pd.DataFrame:
        encoded = encode_prompts(model, prompts, config)
        if not held:
            check_for_vllm(model)
            held.append(_load(model))
        jobs = [
            (str(prompt_id), ids, sample)
            for prompt_id, ids in zip(prompts["prompt_id"], encoded, strict=True)
            for sample in range(config.samples_per_prompt)
        ]
        written: list[list[int]] = []
        for start in range(0, len(jobs), _AT_A_TIME):
            some = jobs[start : start + _AT_A_TIME]
            asked = [{"prompt_token_ids": ids} for _, ids, _ in some]
            how = [_sampling(model, config, prompt_id, sample) for prompt_id, _, sample in some]
            written += map(_tokens, held[0].generate(asked, how, use_tqdm=False))
            if progress is not None:
                progress(len(written), len(jobs))
        return response_table(model, prompts, config, encoded, written)

    try:
        yield write
    finally:
        held.clear()
        gc.collect()  # its processes and its memory end with it
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _load(model: LoadedModel) -> Any:
    machine: dict[str, float | bool] = {}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        machine["gpu_memory_utilization"] = _OF_THE_FREE_MEMORY * free / total
    else:
        # A prompt read in parts would rewind its random numbers, which a CPU's generator cannot (vLLM 0.32).
        machine["enable_chunked_prefill"] = False
        if (of_the_host := free_memory("cpu")) is not None:
            machine["kv_cache_memory_bytes"] = int(_OF_THE_HOSTS * of_the_host)
    return import_module("vllm").LLM(
        model=model.source,
        dtype=model.dtype,
        max_model_len=model.context_length,
        skip_tokenizer_init=True,  # tokens go in and come out
        **machine,
    )


def _sampling(model: LoadedModel, config: GenerationConfig, prompt_id: str, sample: int) -> Any:
    """A seed of its own makes a response depend on seed, prompt and sample alone, as far as vLLM's does."""
    key = hashlib.blake2b(repr((config.seed, prompt_id, sample)).encode(), digest_size=4).digest()
    return import_module("vllm").SamplingParams(
        temperature=config.temperature,
        top_p=1.0 if config.temperature == 0 else config.top_p,
        max_tokens=config.max_new_tokens,
        seed=int.from_bytes(key, "big"),
        stop_token_ids=sorted(model.chat.eos_ids),
        detokenize=False,
    )


def _tokens(answered: Any) -> list[int]:
    """The ids of a response, with the EOS where it came."""
    (response,) = answered.outputs
    if response.finish_reason not in ("stop", "length"):
        raise InputError(
            f"vLLM did not finish a response ({response.finish_reason}); run again, or leave the generator "
            "at bridge"
        )
    return list(map(int, response.token_ids))
