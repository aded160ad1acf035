"""Loading a model by preset, directory or hub name, or taking a bridge already in hand, ready to be read and
intervened on.

Every model becomes a `TransformerBridge` of transformer-lens 4, whose residual stream equals Hugging
Face's exactly. One that is loaded is in evaluation mode and without gradients; one in hand stays as it is.
Importing transformer-lens takes seconds, so it is done on the first load.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from if_circuits.errors import InputError
from if_circuits.models.chat import ChatTokenizer, has_system_role
from if_circuits.models.checkpoint import check_checkpoint
from if_circuits.models.devices import check_device, check_device_map, only_device
from if_circuits.models.fingerprint import fingerprint
from if_circuits.models.hub import check_on_hub
from if_circuits.models.presets import DType, ModelPreset, find_preset, presets

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory, with all that a study needs to know of it."""

    name: str
    """As the user called it."""
    bridge: TransformerBridge
    chat: ChatTokenizer
    preset: ModelPreset
    device: str
    dtype: DType
    device_map: str | None = None
    """How the device was chosen; None where it was asked for by name."""
    source: str | None = None
    """The directory or hub name that it was loaded from; None for a bridge that was in hand."""

    @property
    def fingerprint(self) -> str:
        """Hash of configuration, weights as they are now, tokenizer and template; reads every weight."""
        return fingerprint(self.hf, self.chat.tokenizer)

    @property
    def hf(self) -> PreTrainedModel:
        """The Hugging Face model inside the bridge; calling it fires the bridge's hooks."""
        return cast("PreTrainedModel", self.bridge.original_model)

    @property
    def n_layers(self) -> int:
        """The number of blocks."""
        return int(self.bridge.cfg.n_layers)

    @property
    def d_model(self) -> int:
        """The width of the residual stream."""
        return int(self.bridge.cfg.d_model)

    @property
    def context_length(self) -> int:
        """The most tokens, prompt and response together, that the model was made for."""
        return int(self.bridge.cfg.n_ctx)

    def __repr__(self) -> str:
        return (
            f"LoadedModel({self.name}: {self.n_layers} blocks, d_model {self.d_model}, {self.dtype} on "
            f"{self.device})"
        )


def load_model(
    model: str | TransformerBridge,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    name: str | None = None,
    device: str = "cpu",
    dtype: DType | None = None,
    device_map: str | None = None,
    trust_remote_code: bool = False,
) -> LoadedModel:
    """The model of a preset, of a local directory (no network needed) or of the Hugging Face hub; or a
    `TransformerBridge` already in hand.

    A bridge stays its owner's: its weights, gradients, mode, hooks, tokenizer and configuration are left as
    they are. Responses and activations are computed in evaluation mode, and its own mode returns after each
    call. Hooks that are on it act on whatever is computed. How responses end, padding and the system role
    follow from its configuration and from `tokenizer`.

    Args:
        model: A preset, a directory, a hub name, or a bridge.
        tokenizer: With a bridge only, and then needed: the model's tokenizer as its files describe it. The
            bridge's own is a copy that TransformerLens alters. It is copied.
        name: With a bridge only: what tables call it; a preset's name also takes that preset's settings.
        device: Where to load it.
        dtype: Overrides the preset's precision.
        device_map: One of `devices.DEVICE_MAPS`: has accelerate choose the device, which must hold the whole
            model.
        trust_remote_code: Run code that comes with a checkpoint.

    Returns:
        The model with its chat tokenizer and settings. Without a preset, a response may take half of a
        context too short for the default length.

    Raises:
        InputError: An unknown name, an incomplete or damaged directory, weights that are missing from a
            checkpoint, an architecture that TransformerLens cannot load, or a bridge without a tokenizer;
            says what is wrong.

    Example:
        >>> load_model("if-tiny")
        LoadedModel(if-tiny: 6 blocks, d_model 128, float32 on cpu)
    """
    if isinstance(model, str):
        if tokenizer is not None or name is not None:
            raise InputError("tokenizer and name are for a bridge in hand; a model by name brings its own")
        return _load(model, device, dtype, device_map, trust_remote_code=trust_remote_code)
    if device != "cpu" or dtype is not None or device_map is not None or trust_remote_code:
        raise InputError(
            "a bridge in hand keeps its device and precision: leave out device, dtype, device_map and "
            "trust_remote_code"
        )
    return _adopt(model, tokenizer, name)


def _adopt(bridge: Any, tokenizer: PreTrainedTokenizerBase | None, name: str | None) -> LoadedModel:
    """A bridge in hand, as a model; nothing of it is changed."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedTokenizerBase

    if not isinstance(bridge, TransformerBridge):
        raise InputError(
            f"a model is given by name or as a TransformerBridge, got a {type(bridge).__name__}; "
            "TransformerBridge.boot_transformers(name, hf_model=model) makes one of a Hugging Face model"
        )
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        given = "none" if tokenizer is None else f"a {type(tokenizer).__name__}"
        raise InputError(
            f"a bridge needs its model's tokenizer, got {given}: give "
            "tokenizer=AutoTokenizer.from_pretrained(...); the bridge's own is a copy that TransformerLens "
            "alters"
        )
    hf = cast("PreTrainedModel", bridge.original_model)
    precision = str(hf.dtype).removeprefix("torch.")
    if precision not in _DTYPES:
        raise InputError(f"the bridge computes in {precision}; expected one of {', '.join(_DTYPES)}")
    tokenizer = copy.deepcopy(tokenizer)
    largest, embedded = max(tokenizer.get_vocab().values(), default=0), int(bridge.cfg.d_vocab)
    if largest >= embedded:
        raise InputError(
            f"the tokenizer has ids up to {largest}, the bridge embeds {embedded}: it is another model's"
        )
    name = name or str(hf.config.name_or_path or "") or type(hf).__name__
    preset = find_preset(name) or _default_preset(name, name, bridge, tokenizer)
    return LoadedModel(
        name=name,
        bridge=bridge,
        chat=_chat_tokenizer(tokenizer, hf, system_role=preset.system_role),
        preset=preset,
        device=only_device(hf),
        dtype=cast(DType, precision),
    )


def _load(
    name: str, device: str, dtype: DType | None, device_map: str | None, *, trust_remote_code: bool
) -> LoadedModel:
    check_device(device)
    check_device_map(device_map, device=device)
    preset = find_preset(name)
    source, local = locate(name)
    if local:
        check_checkpoint(Path(source))
    else:
        check_on_hub(name, source=source)
    precision = dtype or (preset.dtype if preset else "float32")
    if precision not in _DTYPES:
        raise InputError(f"dtype {precision!r} is not one of {', '.join(_DTYPES)}")
    with _naming(name, local=local), _quiet_progress():
        tokenizer = _load_tokenizer(source, trust_remote_code=trust_remote_code)
        placement = {"device": device} if device_map is None else {"device_map": device_map}
        bridge = _boot(source, tokenizer, placement, _DTYPES[precision], trust_remote_code)
    model = cast("PreTrainedModel", bridge.original_model)
    if device_map is not None:
        device = only_device(model)
    if preset is None:
        preset = _default_preset(name, source, bridge, tokenizer)
    return LoadedModel(
        name=name,
        bridge=bridge,
        chat=_chat_tokenizer(tokenizer, model, system_role=preset.system_role),
        preset=preset,
        device=device,
        dtype=precision,
        device_map=device_map,
        source=source,
    )


def _default_preset(
    name: str, source: str, bridge: TransformerBridge, tokenizer: PreTrainedTokenizerBase
) -> ModelPreset:
    preset = ModelPreset(name=name, source=source, description="", system_role=has_system_role(tokenizer))
    return replace(preset, max_new_tokens=min(preset.max_new_tokens, int(bridge.cfg.n_ctx) // 2))


def load_plain(model: LoadedModel) -> PreTrainedModel:
    """A second copy of the model as Hugging Face has it, without hooks, on the same device.

    Raises InputError for a bridge that was in hand, of which there are no files to load.
    """
    from transformers import AutoModelForCausalLM

    if model.source is None:
        raise InputError(f"{model.name} was given as a bridge, so there are no files to load a copy from")
    source, local = locate(model.name)
    with _naming(model.name, local=local), _quiet_progress():
        plain: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=_DTYPES[model.dtype], attn_implementation="eager"
        )
    return plain.to(model.device).eval()


def locate(name: str) -> tuple[str, bool]:
    """Where the model of that name lies, and whether that is a local directory.

    Raises InputError for what can be no model's name.
    """
    preset = find_preset(name)
    if preset is not None and preset.bundled:
        folder = Path(str(files("if_circuits").joinpath("assets", preset.source)))
        if not folder.is_dir():
            raise InputError(
                f"model {name!r} is not in this installation: {folder} is missing; reinstall the package, or "
                "train the model with `make train-if-tiny`"
            )
        return str(folder), True
    if preset is not None:
        name = preset.source
    path = Path(name).expanduser()
    if name and path.is_dir():
        return str(path), True
    if name and path.exists():
        raise InputError(f"{name} is a file; give the directory that holds config.json and the weights")
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"there is no directory {name!r}; {_accepted_names()}")
    return name, False


def _accepted_names() -> str:
    known = ", ".join(presets.names())
    return f"give a preset ({known}), a local checkpoint directory or a Hugging Face hub name"


@contextmanager
def _naming(name: str, *, local: bool) -> Generator[None]:
    """Turn the many errors of the loaders into one that names the model and the cause."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a foreign architecture or file sets off
        cause = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        advice = "check its files" if local else f"check the name and the network, or {_accepted_names()}"
        raise InputError(f"model {name!r} cannot be loaded: {cause.rstrip('.')}; {advice}") from error


@contextmanager
def _quiet_progress() -> Generator[None]:
    """Silence the progress bars of transformers, which would break into this library's own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _load_tokenizer(source: str, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        # Model classes such as Qwen2Tokenizer rebuild normalizer and pre-tokenizer, whatever
        # tokenizer.json says.
        return PreTrainedTokenizerFast.from_pretrained(source)
    except (OSError, ValueError):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)


class _CompleteCausalLM:
    """Loads a causal language model and refuses one whose checkpoint lacks weights.

    Transformers only warns, and initialises what is missing at random.
    """

    @staticmethod
    def from_pretrained(source: str, **options: Any) -> PreTrainedModel:
        from transformers import AutoModelForCausalLM

        loaded: Any = AutoModelForCausalLM.from_pretrained(source, output_loading_info=True, **options)
        model, report = loaded
        missing = sorted(report["missing_keys"])
        if missing:
            named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise InputError(f"the checkpoint {source} lacks {len(missing)} of the model's weights: {named}")
        return model


def _boot(
    source: str,
    tokenizer: PreTrainedTokenizerBase,
    placement: dict[str, str],
    dtype: torch.dtype,
    trust_remote_code: bool,
) -> TransformerBridge:
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(
        source,
        # The bridge may give its tokenizer a BOS, an EOS or padding that the model does not have.
        tokenizer=copy.deepcopy(tokenizer),
        dtype=dtype,
        trust_remote_code=trust_remote_code,
        model_class=_CompleteCausalLM,
        **placement,
    )
    bridge.eval()
    bridge.original_model.eval()
    bridge.original_model.requires_grad_(False)
    return bridge


def _chat_tokenizer(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, *, system_role: bool
) -> ChatTokenizer:
    named: list[Any] = [tokenizer.eos_token_id]
    named += [getattr(config, "eos_token_id", None) for config in (model.generation_config, model.config)]
    eos = {int(i) for ids in named if ids is not None for i in (ids if isinstance(ids, list) else [ids])}
    pad: Any = tokenizer.pad_token_id
    return ChatTokenizer(
        tokenizer=tokenizer,
        eos_ids=tuple(sorted(eos)),
        pad_id=int(pad) if pad is not None else min(eos, default=0),
        system_role=system_role,
    )
