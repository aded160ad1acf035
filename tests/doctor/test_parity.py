from functools import wraps
from typing import Any

from if_circuits.doctor.parity import check_cache, check_padding
from if_circuits.models.loading import LoadedModel


def test_a_model_that_ignores_its_mask_fails_the_padding_check(llama: LoadedModel, monkeypatch: Any) -> None:
    forward = llama.hf.forward

    @wraps(forward)
    def without_mask(*args: Any, **kwargs: Any) -> Any:
        return forward(*args, **{**kwargs, "attention_mask": None})

    monkeypatch.setattr(llama.hf, "forward", without_mask)
    assert check_padding(llama).status == "fail"


def test_a_model_that_forgets_its_cache_fails_the_cache_check(llama: LoadedModel, monkeypatch: Any) -> None:
    forward = llama.hf.forward

    @wraps(forward)
    def forgetful(*args: Any, **kwargs: Any) -> Any:
        ids = kwargs["input_ids"]
        kept = {"past_key_values": None, "attention_mask": None, "position_ids": None}
        return forward(*args, **{**kwargs, **(kept if ids.shape[1] == 1 else {})})

    monkeypatch.setattr(llama.hf, "forward", forgetful)
    assert check_cache(llama).status == "fail"
