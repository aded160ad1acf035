"""The teacher-forced pass: a model reads prompts with their responses, all tokens at once.

Batches are padded on the right and masked, so that a token's index and position are the same with and
without padding. Hooks copy what is wanted of each layer and let go of the rest; where no logits are wanted,
the last one ends the pass, so that nothing above the last layer is computed.

On a CPU a pass is no larger than its caches: activations that leave them, and memory that is given back and
asked for again, cost more than the calls saved (measured: 256 rows of if-tiny in one pass 1.8 times the CPU
time of 64, 16 rows of a 27M-parameter Llama 1.13 times that of 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.activations.plan import CapturePlan
from if_circuits.activations.positions import ABSENT, POSITIONS
from if_circuits.models.layers import hook_name
from if_circuits.models.memory import free_memory, pass_bytes, rows_that_fit
from if_circuits.models.padding import pad
from if_circuits.models.presets import ITEMSIZE

if TYPE_CHECKING:
    from if_circuits.interventions.hooks import Intervention
    from if_circuits.models.loading import LoadedModel

Run: TypeAlias = tuple[Sequence[int], Sequence[int]]
"""Ids of a prompt and of the response that follows it."""
Take: TypeAlias = Callable[[int, Float[Tensor, "batch token d_model"]], None]
"""Told a layer and its activations; copies what it wants, since a view keeps the whole tensor."""

_CACHED_BYTES = 2**20
"""Size of the residual stream up to which a pass on a CPU runs well: that of a usual second-level cache."""
_FEWEST_TOKENS = 512
"""Fewer tokens a pass would read a wide model's weights too often."""


def read_layers(
    model: LoadedModel,
    runs: Sequence[Run],
    layers: Sequence[int],
    take: Take,
    *,
    interventions: Sequence[Intervention] = (),
) -> None:
    """One teacher-forced pass up to the last of `layers`, which rise; `take` is told each of them."""
    from transformer_lens.model_bridge.exceptions import StopAtLayerException

    def tap(layer: int) -> Callable[..., None]:
        def see(activation: Float[Tensor, "batch token d_model"], hook: Any) -> None:
            del hook
            take(layer, activation)
            if layer == layers[-1]:
                raise StopAtLayerException(activation[:0].clone())

        return see

    taps = [(hook_name(layer), tap(layer)) for layer in layers]
    # The taps come second, so that they see what the interventions leave behind.
    with torch.no_grad(), _under(model, interventions, runs), model.bridge.hooks(fwd_hooks=taps):
        model.bridge(**_batch(model, runs), use_cache=False)


def read_logits(
    model: LoadedModel, runs: Sequence[Run], *, interventions: Sequence[Intervention] = ()
) -> Float[Tensor, "batch token vocabulary"]:
    """One teacher-forced pass; the logits that follow each token, padding included."""
    hf: Any = model.hf
    with torch.no_grad(), _under(model, interventions, runs):
        batch = _batch(model, runs)
        return hf(input_ids=batch["input"], attention_mask=batch["attention_mask"], use_cache=False).logits


def read_positions(
    model: LoadedModel,
    plan: CapturePlan,
    rows: Int[np.ndarray, " batch"],
    *,
    layers: tuple[int, ...],
    interventions: Sequence[Intervention] = (),
) -> Iterator[tuple[int, Float[np.ndarray, "batch position d_model"]]]:
    """One teacher-forced pass over some rows of a plan; gives each layer with its activations, float32.

    `layers` are in rising order. Positions that a response lacks are NaN. Interventions act as they did
    during generation, on the same prompt and response tokens.
    """
    indices = plan.indices[rows]
    # An absent position reads the first token for now; its row becomes NaN below.
    wanted = torch.from_numpy(np.maximum(indices, 0)).to(model.device).T
    batch = torch.arange(len(rows), device=model.device)
    # Position by position, as shards have them.
    taken: dict[int, Float[Tensor, "position batch d_model"]] = {}

    def take(layer: int, activation: Float[Tensor, "batch token d_model"]) -> None:
        taken[layer] = activation[batch, wanted]

    runs = [(plan.prompts[row], plan.responses[row]) for row in rows]
    read_layers(model, runs, layers, take, interventions=interventions)
    for layer in layers:
        activations = taken.pop(layer).to("cpu", torch.float32).numpy().transpose(1, 0, 2)
        activations[indices == ABSENT] = np.nan
        yield layer, activations


def passes(
    model: LoadedModel, plan: CapturePlan, rows: Int[np.ndarray, " rows"]
) -> Iterator[Int[np.ndarray, " batch"]]:
    """Rows of a plan, from the longest to the shortest as in its order, in batches that run best in one pass.

    On a GPU that is all of them at once.
    """
    if torch.device(model.device).type != "cpu":
        yield rows
        return
    while len(rows):
        n = rows_per_pass(model, len(plan.tokens(rows[0])))
        yield rows[:n]
        rows = rows[n:]


def rows_per_pass(model: LoadedModel, length: int) -> int:
    """How many rows of so many tokens run best in one pass; on a GPU, the model's batch size."""
    if torch.device(model.device).type != "cpu":
        return model.preset.batch_size
    return max(1, max(_FEWEST_TOKENS, _CACHED_BYTES // (4 * model.d_model)) // length)


def usual_reading_size(model: LoadedModel, *, length: int, n_layers: int) -> int:
    """How many rows of up to so many tokens, of which so many layers are kept, are read side by side where
    nobody says: as many as the preset says, or fewer where a GPU's memory does not hold them.

    On a CPU a pass takes few of them at a time.
    """
    usual = model.preset.batch_size
    if torch.device(model.device).type == "cpu":
        return usual
    kept = n_layers * len(POSITIONS) * model.d_model * ITEMSIZE[model.dtype]
    return rows_that_fit(free_memory(model.device), pass_bytes(model, length) + kept, most=usual)


def _batch(model: LoadedModel, runs: Sequence[Run]) -> dict[str, Int[Tensor, "batch token"]]:
    ids, mask = pad([[*prompt, *response] for prompt, response in runs], model.chat.pad_id, side="right")
    return {"input": ids.to(model.device), "attention_mask": mask.to(model.device)}


def _under(
    model: LoadedModel, interventions: Sequence[Intervention], runs: Sequence[Run]
) -> AbstractContextManager[object]:
    """The interventions' hooks, telling prompt from response in each row; nothing without interventions."""
    if not interventions:
        return nullcontext()
    from if_circuits.interventions.hooks import intervene

    return intervene(model, interventions, prompt_lengths=[len(prompt) for prompt, _ in runs])
