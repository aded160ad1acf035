"""What stands in for vLLM in the tests: as much of its documented interface as is used, on Hugging Face.

vLLM needs a GPU, or a build of its own for CPUs. This one answers each prompt by itself, without any of this
library's code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 16
    seed: int | None = None
    stop_token_ids: Sequence[int] = ()
    detokenize: bool = True


@dataclass(frozen=True)
class CompletionOutput:
    token_ids: Sequence[int]
    finish_reason: str


@dataclass(frozen=True)
class RequestOutput:
    outputs: Sequence[CompletionOutput]


class LLM:
    loaded = 0
    """How many there have been."""

    def __init__(
        self,
        model: str,
        *,
        dtype: str = "auto",
        max_model_len: int | None = None,
        skip_tokenizer_init: bool = False,
        gpu_memory_utilization: float = 0.9,
        kv_cache_memory_bytes: int | None = None,
        enable_chunked_prefill: bool | None = None,
    ) -> None:
        del enable_chunked_prefill
        assert 0 < gpu_memory_utilization <= 1
        assert kv_cache_memory_bytes is None or kv_cache_memory_bytes > 0
        assert skip_tokenizer_init
        self._length = max_model_len or 0
        self._model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, dtype)
        )
        type(self).loaded += 1

    def generate(
        self,
        prompts: Sequence[dict[str, list[int]]],
        sampling_params: Sequence[SamplingParams],
        *,
        use_tqdm: bool = True,
    ) -> list[RequestOutput]:
        del use_tqdm
        pairs = zip(prompts, sampling_params, strict=True)
        return [RequestOutput([self._answer(each["prompt_token_ids"], how)]) for each, how in pairs]

    @torch.no_grad()
    def _answer(self, prompt: list[int], how: SamplingParams) -> CompletionOutput:
        assert len(prompt) + how.max_tokens <= self._length
        random = torch.Generator().manual_seed(how.seed or 0)
        written: list[int] = []
        while len(written) < how.max_tokens:
            logits = self._model(torch.tensor([[*prompt, *written]])).logits[0, -1]
            if how.temperature == 0:
                token = int(logits.argmax())
            else:
                likely = (logits / how.temperature).softmax(-1)
                token = int(likely.multinomial(1, generator=random))
            written.append(token)
            if token in how.stop_token_ids:
                return CompletionOutput(written, "stop")
        return CompletionOutput(written, "length")
