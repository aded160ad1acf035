"""Distributed alignment search (DAS): the subspace that acts, found by training the interchange itself.

TransformerLens trains it (`transformer_lens.tools.analysis.interchange.fit_das`): a basis whose interchange
makes one run write the token that the other would. It exchanges one position an example, so an example is a
prompt with the beginning of a text, exchanged at its last token: the prompt's end, or a token of the
response. Those are taken at which the two runs would go on with different tokens, and in both directions.

DAS fits arbitrary mappings too (Arora et al. 2024). So `arbitrary` trains on targets that a coin gives to
each example, with the same examples, rank and steps: what that recovers is what the method alone can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.activations.teacher_forcing import read_logits, rows_per_pass
from if_circuits.errors import InputError
from if_circuits.inputs import as_count, as_layers
from if_circuits.interventions.fitted import FittedSubspace, ReadAt
from if_circuits.models.layers import EMBED, hook_name
from if_circuits.models.padding import pad
from if_circuits.models.reading import reading
from if_circuits.threads import threads_for

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

EXAMPLES = 4
"""Examples of each text and direction at most: the first tokens at which the two runs part."""
POSITION = "where the runs part"


@dataclass(frozen=True, eq=False)
class _Example:
    """A beginning of a text behind both prompts, and the token that either run would write next."""

    base: list[int]
    source: list[int]
    tokens: tuple[int, int]
    """Of the base run and of the source."""
    pair: int


def fit_das(
    model: LoadedModel,
    pairs: pd.DataFrame,
    *,
    layer: int,
    rank: int = 1,
    epochs: int = 10,
    learning_rate: float = 0.02,
    max_tokens: int = 32,
    arbitrary: bool = False,
    seed: int = 0,
) -> FittedSubspace:
    """The subspace of a layer whose interchange between a pair's prompts changes the next token.

    Args:
        model: What `load_model` gave.
        pairs: What `ifc.interchange_pairs` made; never those that it is tested on.
        layer: -1 is `embed`, i the residual stream after block i.
        rank: Dimensions of the subspace.
        epochs: Passes over the examples.
        learning_rate: Of Adam.
        max_tokens: Tokens of each text that examples are taken from.
        arbitrary: Train on targets that a coin gives each example: the control.
        seed: Of the start, the order, and the coin.

    Raises:
        InputError: For a layer that the model lacks, and pairs whose runs never part.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("json_format", n=6, counterparts=True), temperature=0)
        >>> ifc.fit_das(model, ifc.interchange_pairs(rows), layer=3, epochs=2)
        DAS: rank 1 of 128, read at layer 3, where the runs part, 54 rows of 6 groups
    """
    from transformer_lens.tools.analysis.interchange import arbitrary_targets
    from transformer_lens.tools.analysis.interchange import fit_das as train

    (layer,) = as_layers(layer, "layer")
    if not EMBED <= layer < model.n_layers:
        raise InputError(f"layer is {layer}; {model.name} has {EMBED} (embed) to {model.n_layers - 1}")
    examples = _examples(model, pairs.reset_index(drop=True), max_tokens)
    if not examples:
        raise InputError("DAS needs pairs whose two prompts make the model go on differently; these never do")
    tokens = torch.tensor([each.tokens for each in examples], device=model.device)
    bases, sources = [each.base for each in examples], [each.source for each in examples]
    n, runs = len(examples), [*bases, *sources]
    last = torch.tensor([len(ids) - 1 for ids in runs])

    def task_logits(rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        ids, mask = pad([runs[row] for row in rows.tolist()], model.chat.pad_id, side="right")
        batch = {"input": ids.to(model.device), "attention_mask": mask.to(model.device)}
        logits: Any = model.bridge(**batch, use_cache=False)
        ends = logits[torch.arange(len(rows)), last[rows].to(logits.device)].float()
        return ends.gather(1, tokens[(rows % n).to(tokens.device)])

    targets = arbitrary_targets(range(n), 2, seed) if arbitrary else torch.ones(n, dtype=torch.long)
    size = rows_per_pass(model, max(map(len, runs)))
    with threads_for(model.d_model):
        found = train(
            model.bridge,
            hook_name(layer),
            torch.arange(n),
            torch.arange(n, 2 * n),
            targets,
            task_logits,
            rank=as_count(rank, "rank"),
            base_positions=last[:n],
            source_positions=last[n:],
            epochs=as_count(epochs, "epochs"),
            batch_size=size,
            lr=learning_rate,
            seed=seed,
        )
    basis = np.linalg.qr(found.basis.double().cpu().numpy())[0].T
    d = model.d_model
    read_at = ReadAt(layer, POSITION, n, len({each.pair for each in examples}), np.zeros(d))
    name = "DAS, arbitrary targets" if arbitrary else "DAS"
    return FittedSubspace(basis=basis, mean=np.zeros(d), name=name, read_at=read_at)


def _examples(model: LoadedModel, pairs: pd.DataFrame, max_tokens: int) -> list[_Example]:
    """In both directions, the first `EXAMPLES` tokens of each text before which the two runs part."""
    found: list[_Example] = []
    for number, pair in enumerate(pairs.to_dict("records")):
        asks, other = list(pair["prompt_tokens"]), list(pair["source_tokens"])
        for name in ("satisfied_tokens", "violated_tokens"):
            text = list(pair[name])[:max_tokens]
            first, second = (_next_tokens(model, prompt, text) for prompt in (asks, other))
            for k in np.flatnonzero(first != second)[:EXAMPLES]:
                beginning = text[:k]
                ways = (asks, other, first[k], second[k]), (other, asks, second[k], first[k])
                for base, source, mine, theirs in ways:
                    tokens = int(mine), int(theirs)
                    found.append(_Example([*base, *beginning], [*source, *beginning], tokens, number))
    return found


def _next_tokens(
    model: LoadedModel, prompt: Sequence[int], text: Sequence[int]
) -> Int[np.ndarray, " tokens"]:
    """The likeliest token before each token of a text."""
    with reading(model):
        logits = read_logits(model, [(prompt, text)])[0, len(prompt) - 1 : len(prompt) - 1 + len(text)]
    return logits.argmax(-1).cpu().numpy()
