"""The examination: load the model, then one check after the other. No check can end it by an exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from if_circuits.doctor.base import Check, Diagnosis
from if_circuits.doctor.compliance import check_compliance
from if_circuits.doctor.context import check_context
from if_circuits.doctor.hooks import check_hooks
from if_circuits.doctor.machine import check_memory
from if_circuits.doctor.numbers import check_dtype_range, check_weights
from if_circuits.doctor.parity import check_cache, check_padding
from if_circuits.doctor.residuals import check_residuals
from if_circuits.doctor.template import (
    check_bos,
    check_generation_prompt,
    check_system_role,
    check_template,
    check_thinking,
)
from if_circuits.doctor.tokens import check_eos, check_pad, check_vocabulary
from if_circuits.errors import InputError
from if_circuits.models.devices import check_device
from if_circuits.models.hub import UnknownModel
from if_circuits.models.loading import LoadedModel, load_model, locate
from if_circuits.models.presets import DType
from if_circuits.models.reading import reading

OnCheck = Callable[[str], None]
"""Told the name of each check as it begins."""


@dataclass(frozen=True)
class _Look:
    """One thing to look at."""

    name: str
    check: Callable[[LoadedModel], Check | Iterable[Check]]
    needed: bool = False
    """Nothing after it can be looked at where it fails."""


_LOOKS = (
    _Look("template", check_template, needed=True),
    _Look("bos", check_bos),
    _Look("generation_prompt", check_generation_prompt),
    _Look("system_role", check_system_role),
    _Look("thinking", check_thinking),
    _Look("vocabulary", check_vocabulary, needed=True),
    _Look("eos", check_eos),
    _Look("pad", check_pad, needed=True),
    _Look("weights", check_weights, needed=True),
    _Look("dtype_range", check_dtype_range, needed=True),
    _Look("padding_parity", check_padding),
    _Look("cache_parity", check_cache),
    _Look("hook_identity", check_hooks),
    _Look("residual_equality", check_residuals),
    _Look("context_length", check_context),
    _Look("memory", check_memory),
    _Look("compliance", check_compliance),
)


def examine(
    model: str | LoadedModel,
    *,
    device: str = "cpu",
    dtype: DType | None = None,
    device_map: str | None = None,
    progress: OnCheck | None = None,
) -> Diagnosis:
    """Whether a model is fit for the study, and what to do where it is not.

    A model by name is loaded; one in memory is looked at as it is, and `device`, `dtype` and `device_map` are
    not used.

    Raises InputError for a name that is no model's and for a device that is not there; whatever is wrong with
    the model itself is a failed check.
    """
    tell = progress or (lambda _: None)
    if isinstance(model, str):
        locate(model)
        check_device(device)
        tell("loads")
        try:
            model = load_model(model, device=device, dtype=dtype, device_map=device_map)
        except UnknownModel:
            raise
        except Exception as error:
            return Diagnosis(str(model), (Check("loads", "fail", _reason(error)),))
    with reading(model):
        return Diagnosis(model.name, tuple(_look(model, tell)))


def _look(model: LoadedModel, tell: OnCheck) -> list[Check]:
    loaded = f"{type(model.hf).__name__}, {model.n_layers} blocks, d_model {model.d_model}, on {model.device}"
    checks, failed = [Check("loads", "pass", loaded)], None
    for look in _LOOKS:
        if failed is not None:
            checks.append(Check(look.name, "warn", f"not looked at: {failed} has to be mended first"))
            continue
        tell(look.name)
        found = _guarded(look, model)
        checks += found
        if look.needed and any(check.status == "fail" for check in found):
            failed = look.name
    return checks


def _guarded(look: _Look, model: LoadedModel) -> list[Check]:
    """The findings of a check; if it raises, that it failed, and why."""
    try:
        found = look.check(model)
        return [found] if isinstance(found, Check) else list(found)
    except Exception as error:
        return [Check(look.name, "fail", _reason(error))]


def _reason(error: Exception) -> str:
    """One line; an InputError says by itself what to do."""
    line = " ".join(str(error).split())
    if isinstance(error, InputError):
        return line
    return f"raised {type(error).__name__}: {line or 'no reason given'}; mend the model's files, or report it"
