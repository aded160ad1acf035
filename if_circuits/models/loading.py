"""Loading a model by preset, directory, GGUF file or hub name, or taking a bridge already in hand, ready to
be read and intervened on.

Every model becomes a `TransformerBridge` of transformer-lens 4, whose residual stream equals Hugging
Face's exactly. One that is loaded is in evaluation mode and without gradients; one in hand stays as it is.
Importing transformer-lens takes seconds, so it is done on the first load.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from if_circuits.errors import InputError
from if_circuits.models.chat import ChatTokenizer, has_system_role
from if_circuits.models.checkpoint import check_checkpoint
from if_circuits.models.devices import check_device, check_device_map, only_device
from if_circuits.models.gguf import check_gguf, load_gguf, load_gguf_tokenizer, quantisation, read_once
from if_circuits.models.hub import check_on_hub
from if_circuits.models.loaded import LoadedModel
from if_circuits.models.places import locate
from if_circuits.models.presets import DType, ModelPreset, find_preset
from if_circuits.models.pretrained import CompleteCausalLM, load_tokenizer, naming, quiet_progress
from if_circuits.models.thinking import find_thinking

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


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
    """The model of a preset, of a local directory or GGUF file (no network needed) or of the Hugging Face
    hub; or a `TransformerBridge` already in hand.

    A bridge stays its owner's: its weights, gradients, mode, hooks, tokenizer and configuration are left as
    they are. Responses and activations are computed in evaluation mode, and its own mode returns after each
    call. Hooks that are on it act on whatever is computed. How responses end, padding and the system role
    follow from its configuration and from `tokenizer`.

    Args:
        model: A preset, a directory, a GGUF file, a hub name, or a bridge. The weights of a GGUF file are
            dequantised, to what they were rounded to.
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
        preset=_with_sampling(preset, hf),
        device=only_device(hf),
        dtype=cast(DType, precision),
    )


def _load(
    name: str, device: str, dtype: DType | None, device_map: str | None, *, trust_remote_code: bool
) -> LoadedModel:
    check_device(device)
    check_device_map(device_map, device=device)
    preset = find_preset(name)
    place = locate(name)
    if place.kind == "directory":
        check_checkpoint(Path(place.source))
    elif place.kind == "gguf":
        check_gguf(Path(place.source))
    else:
        check_on_hub(name, source=place.source)
    precision = dtype or (preset.dtype if preset else "float32")
    if precision not in _DTYPES:
        raise InputError(f"dtype {precision!r} is not one of {', '.join(_DTYPES)}")
    dequantised_from = None
    with naming(name, local=place.local), quiet_progress():
        placement = {"device": device} if device_map is None else {"device_map": device_map}
        if place.kind == "gguf":
            with read_once():
                tokenizer = load_gguf_tokenizer(Path(place.source))
                bridge = _boot_gguf(Path(place.source), tokenizer, placement, _DTYPES[precision])
                dequantised_from = quantisation(Path(place.source))
        else:
            tokenizer = load_tokenizer(place.source, trust_remote_code=trust_remote_code)
            bridge = _boot(place.source, tokenizer, placement, _DTYPES[precision], trust_remote_code)
    model = cast("PreTrainedModel", bridge.original_model)
    if device_map is not None:
        device = only_device(model)
    if preset is None:
        preset = _default_preset(name, place.source, bridge, tokenizer)
    return LoadedModel(
        name=name,
        bridge=bridge,
        chat=_chat_tokenizer(tokenizer, model, system_role=preset.system_role),
        preset=_with_sampling(preset, model),
        device=device,
        dtype=precision,
        device_map=device_map,
        source=place.source,
        dequantised_from=dequantised_from,
    )


def _default_preset(
    name: str, source: str, bridge: TransformerBridge, tokenizer: PreTrainedTokenizerBase
) -> ModelPreset:
    preset = ModelPreset(name=name, source=source, description="", system_role=has_system_role(tokenizer))
    return replace(preset, max_new_tokens=min(preset.max_new_tokens, int(bridge.cfg.n_ctx) // 2))


def _with_sampling(preset: ModelPreset, model: PreTrainedModel) -> ModelPreset:
    """The preset, with temperature and top-p of the checkpoint where it leaves them open."""
    advised: Any = model.generation_config
    found = {name: getattr(advised, name, None) for name in ("temperature", "top_p")}
    opened = {name: float(value) for name, value in found.items() if value and getattr(preset, name) is None}
    return replace(preset, **opened) if opened else preset


def load_plain(model: LoadedModel) -> PreTrainedModel:
    """A second copy of the model as Hugging Face has it, without hooks, on the same device.

    Raises InputError for a bridge that was in hand, of which there are no files to load.
    """
    from transformers import AutoModelForCausalLM

    if model.source is None:
        raise InputError(f"{model.name} was given as a bridge, so there are no files to load a copy from")
    place, dtype = locate(model.name), _DTYPES[model.dtype]
    with naming(model.name, local=place.local), quiet_progress():
        if place.kind == "gguf":
            with read_once():
                plain: Any = load_gguf(Path(place.source), dtype=dtype)
        else:
            plain = AutoModelForCausalLM.from_pretrained(
                place.source, dtype=dtype, attn_implementation="eager"
            )
    return plain.to(model.device).eval()


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
        model_class=CompleteCausalLM,
        **placement,
    )
    return _ready(bridge)


def _boot_gguf(
    path: Path, tokenizer: PreTrainedTokenizerBase, placement: dict[str, str], dtype: torch.dtype
) -> TransformerBridge:
    from transformer_lens.model_bridge import TransformerBridge

    device_map = placement.get("device_map")
    model: Any = load_gguf(path, dtype=dtype, **({} if device_map is None else {"device_map": device_map}))
    device = placement.get("device") or only_device(model)
    bridge = TransformerBridge.boot_transformers(
        str(path),
        hf_model=model.to(device),
        tokenizer=copy.deepcopy(tokenizer),
        dtype=dtype,
        device=device,
    )
    return _ready(bridge)


def _ready(bridge: TransformerBridge) -> TransformerBridge:
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
        thinking=find_thinking(tokenizer),
    )
