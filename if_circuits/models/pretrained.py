"""Checkpoints as transformers loads them, with errors that say what is wrong and no bars of its own."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from if_circuits.errors import InputError
from if_circuits.models.places import accepted_names

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@contextmanager
def naming(name: str, *, local: bool) -> Generator[None]:
    """Turn the many errors of the loaders into one that names the model and the cause."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a foreign architecture or file sets off
        cause = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        advice = "check its files" if local else f"check the name and the network, or {accepted_names()}"
        raise InputError(f"model {name!r} cannot be loaded: {cause.rstrip('.')}; {advice}") from error


@contextmanager
def quiet_progress() -> Generator[None]:
    """Silence the progress bars of transformers, which would break into this library's own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load_tokenizer(source: str, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        # Model classes such as Qwen2Tokenizer rebuild normalizer and pre-tokenizer, whatever
        # tokenizer.json says.
        return PreTrainedTokenizerFast.from_pretrained(source)
    except (OSError, ValueError):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)


class CompleteCausalLM:
    """Loads a causal language model and refuses one whose checkpoint lacks weights.

    Transformers only warns, and initialises what is missing at random.
    """

    @staticmethod
    def from_pretrained(source: str, **options: Any) -> PreTrainedModel:
        from transformers import AutoModelForCausalLM

        loaded: Any = AutoModelForCausalLM.from_pretrained(source, output_loading_info=True, **options)
        model, report = loaded
        check_complete(source, report)
        return model


def check_complete(source: str, report: Mapping[str, Any]) -> None:
    """Raise InputError for a checkpoint that lacks weights, by transformers' report of its loading."""
    missing = sorted(report["missing_keys"])
    if missing:
        named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(f"the checkpoint {source} lacks {len(missing)} of the model's weights: {named}")
