"""Answers under interchange: a model writes to one prompt while it receives from a run of another.

Both runs go in step. Each token that is chosen, greedily, is fed to both, so that every token of the response
has its counterpart in the other run: the same token behind the other prompt. So the interchange is defined
for the response too, whatever the model writes; `interventions.interchange` says which token takes from
which.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.generation.batch import Batch
from if_circuits.generation.batches import in_batches
from if_circuits.inputs import as_count
from if_circuits.interventions.interchange import PLACES, Interchange
from if_circuits.models.layers import EMBED, hook_name
from if_circuits.models.reading import reading
from if_circuits.progress import Progress, reporting
from if_circuits.tasks.judges.choice import usual_judges
from if_circuits.tasks.verification import judged_properties, verify

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel


def interchange_answers(
    model: LoadedModel,
    pairs: pd.DataFrame,
    conditions: Sequence[Interchange],
    *,
    max_new_tokens: int | None = None,
    judges: Sequence[tuple[str, str]] | None = None,
    progress: Progress = None,
) -> pd.DataFrame:
    """The greedy answer to each pair's prompt under each interchange, verified by the pair's constraint.

    An interchange of dose 0 is the intact model. Where one gives, the prompt that does not ask for the
    constraint is answered, and verified as if it did.

    Args:
        model: What `load_model` gave.
        pairs: What `ifc.interchange_pairs` made.
        conditions: What is exchanged, where and how far, such as `[ifc.Interchange(3, position="response")]`.
        max_new_tokens: Where an answer without end is cut; by default the preset's number.
        judges: Judges in place of the model's usual ones, as (property, judge).
        progress: None for a bar in notebooks and terminals; True, False, or a function of (done, in all).

    Returns:
        One row a condition and pair: task, base_query, parameters, pair, direction, layer, position,
        subspace, rank, dose, placebo, response, response_tokens, n_tokens, truncated, verdict and reason.

    Raises:
        InputError: For layers and subspaces that do not fit the model, and pairs without their columns.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("json_format", n=3, counterparts=True), temperature=0)
        >>> taken = [ifc.Interchange(5, dose=dose) for dose in (0, 1)]
        >>> answers = ifc.interchange_answers(model, ifc.interchange_pairs(rows), taken)
        >>> answers.groupby("dose")["verdict"].unique().str.join(" ").tolist()
        ['satisfied', 'violated']
    """
    usual = model.preset.max_new_tokens
    most = usual if max_new_tokens is None else as_count(max_new_tokens, "max_new_tokens")
    needed = ("task", "base_query", "parameters", "prompt_tokens", "source_tokens")
    missing = [name for name in needed if name not in pairs]
    if missing or pairs.empty:
        raise InputError(
            f"answers under interchange need pairs with the columns {', '.join(needed)}, got {len(pairs)} "
            f"rows without {', '.join(missing) or 'any missing'}; ifc.interchange_pairs makes them"
        )
    pairs = pairs.reset_index(drop=True)
    found: list[pd.DataFrame] = []
    with reporting(progress, "answers") as report, reading(model):
        for number, condition in enumerate(conditions):
            found.append(_answers(model, pairs, condition, most))
            if report is not None:
                report(number + 1, len(conditions))
    answers = pd.concat(found, ignore_index=True)
    if judges is None:
        judges = usual_judges(model.preset, judged_properties(answers["task"].unique()))
    return verify(answers, chosen=judges)


def _answers(
    model: LoadedModel, pairs: pd.DataFrame, condition: Interchange, max_new_tokens: int
) -> pd.DataFrame:
    asks, other = (
        [[int(i) for i in ids] for ids in pairs[f"{name}_tokens"]] for name in ("prompt", "source")
    )
    receiving, donating = (asks, other) if condition.direction == "takes" else (other, asks)
    order = sorted(range(len(pairs)), key=lambda i: max(len(asks[i]), len(other[i])))
    written: dict[int, list[int]] = {}

    def write(batch: Sequence[int]) -> list[list[int]]:
        chosen = [receiving[i] for i in batch], [donating[i] for i in batch]
        return decode_in_step(model, *chosen, condition, max_new_tokens=max_new_tokens)

    for batch, ids in in_batches(order, max(1, model.preset.batch_size // 2), write, what="generation"):
        written.update(zip(batch, ids, strict=True))
    responses = [written[i] for i in range(len(pairs))]
    ended = [bool(ids) and ids[-1] in model.chat.eos_ids for ids in responses]
    texts = [ids[:-1] if end else ids for ids, end in zip(responses, ended, strict=True)]
    return pairs[["task", "base_query", "parameters"]].assign(
        pair=pairs.index,
        **condition.columns(len(pairs)),
        response=[model.chat.decode(ids) for ids in texts],
        response_tokens=pd.Series(responses, dtype=object),
        n_tokens=[len(ids) for ids in texts],
        truncated=~np.array(ended),
    )


def decode_in_step(
    model: LoadedModel,
    receiving: Sequence[Sequence[int]],
    donating: Sequence[Sequence[int]],
    condition: Interchange,
    *,
    max_new_tokens: int,
) -> list[list[int]]:
    """Greedy continuations of the receiving prompts, with the EOS where it came."""
    n, device = len(receiving), torch.device(model.device)
    eos = torch.tensor(model.chat.eos_ids, device=device)
    written: list[list[int]] = [[] for _ in receiving]
    active = torch.arange(n, device=device)
    with torch.no_grad(), _exchanging(model, condition):
        both = torch.arange(2 * n, device=device)
        batch = Batch(model, [*receiving, *donating], both, max_new_tokens, None)
        logits = batch.read_prompts()
        for step in range(max_new_tokens):
            chosen = logits[: len(active)].argmax(-1)
            for row, token in zip(active.tolist(), chosen.tolist(), strict=True):
                written[row].append(token)
            going = (~torch.isin(chosen, eos)).nonzero().flatten()
            if not len(going) or step + 1 == max_new_tokens:
                break
            if len(going) < len(active):
                batch.select(torch.cat([going, going + len(active)]))
                active, chosen = active[going], chosen[going]
            logits = batch.read(chosen.repeat(2))
    return written


@contextmanager
def _exchanging(model: LoadedModel, condition: Interchange) -> Generator[None]:
    """The first half of a batch's rows receives from the second half.

    Prompts are padded before, so that their last tokens stand in one column.
    """
    if not EMBED <= condition.layer < model.n_layers:
        raise InputError(f"layer {condition.layer}: {model.name} has {EMBED} (embed) to {model.n_layers - 1}")
    if condition.subspace is not None and len(condition.subspace.mean) != model.d_model:
        raise InputError(
            f"subspace {condition.subspace.name!r} has d = {len(condition.subspace.mean)}, {model.name} has "
            f"{model.d_model}"
        )
    move = condition.move(model.d_model, torch.device(model.device))
    start, stop = PLACES[condition.position].offsets or (0, None)
    begun = False

    def exchange(x: Float[Tensor, "rows length d_model"], hook: Any) -> Float[Tensor, "rows length d_model"]:
        nonlocal begun
        del hook
        offset, begun = int(begun), True
        if offset < start or (stop is not None and offset >= stop):
            return x
        half = len(x) // 2
        moved = x.clone()
        moved[:half, -1] = move(x[:half, -1], x[half:, -1])
        return moved

    hooks: list[tuple[str, Callable[..., Any]]] = [(hook_name(condition.layer), exchange)]
    with model.bridge.hooks(fwd_hooks=hooks):  # pyright: ignore[reportArgumentType]
        yield
