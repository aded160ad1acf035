"""A model at work: what holds while responses are written or activations are read, and ends afterwards."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from if_circuits.models.own_modules import own_modules
from if_circuits.threads import threads_for

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


@contextmanager
def reading(model: LoadedModel) -> Generator[None]:
    """Evaluation mode, no gradients, no wrappers that nobody uses, as many threads as its width has use for.

    Each module's own mode returns at the end: a bridge in hand may be in the middle of its training.
    """
    modules = {*model.bridge.modules(), *model.hf.modules()}
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        with threads_for(model.d_model), torch.no_grad(), own_modules(model):
            yield
    finally:
        for module in training:
            module.training = True
