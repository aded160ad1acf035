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
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from if_circuits.activations.read_from import LowerBlocks
from if_circuits.activations.stems import Stems
from if_circuits.activations.teacher_forcing import Run, read_logits, rows_per_pass
from if_circuits.errors import InputError
from if_circuits.inputs import as_count, as_layers
from if_circuits.interventions.fitted import FittedSubspace, ReadAt
from if_circuits.models.layers import EMBED, hook_name
from if_circuits.models.reading import reading
from if_circuits.threads import threads_for

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

EXAMPLES = 4
"""Examples of each text and direction at most: the first tokens at which the two runs part."""
MOST_EXAMPLES = 96
"""Examples in all at most, drawn at random."""
BATCH = 32
"""Examples a step."""
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
    learning_rate: float = 0.06,
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
        DAS: rank 1 of 128, read at layer 3, where the runs part, 68 rows of 6 groups
    """
    return train_das(
        model,
        read_examples(model, pairs, layer=layer, max_tokens=max_tokens, seed=seed),
        rank=rank,
        epochs=epochs,
        learning_rate=learning_rate,
        arbitrary=arbitrary,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class DasExamples:
    """Examples that were read up to their last token, and the layer that is trained on them."""

    layer: int
    tokens: Int[Tensor, "examples 2"]
    """The next tokens of the base run and of the source."""
    last: Int[Tensor, "runs 1"]
    """The last token of each base, then of each source."""
    stems: Stems
    """All before it."""
    below: LowerBlocks
    tasks: tuple[str, ...]
    groups: int
    """Pairs that the examples come from."""


def read_examples(
    model: LoadedModel, pairs: pd.DataFrame, *, layer: int, max_tokens: int = 32, seed: int = 0
) -> DasExamples:
    """What `fit_das` trains on, read once, for more than one training. It raises what `fit_das` does."""
    (layer,) = as_layers(layer, "layer")
    if not EMBED <= layer < model.n_layers:
        raise InputError(f"layer is {layer}; {model.name} has {EMBED} (embed) to {model.n_layers - 1}")
    examples = _examples(model, pairs.reset_index(drop=True), max_tokens)
    if not examples:
        raise InputError("DAS needs pairs whose two prompts make the model go on differently; these never do")
    drawn = np.random.default_rng(seed).permutation(len(examples))[:MOST_EXAMPLES]
    examples = [examples[i] for i in sorted(drawn)]
    tokens = torch.tensor([each.tokens for each in examples], device=model.device)
    runs = [*(each.base for each in examples), *(each.source for each in examples)]
    last = torch.tensor([[ids[-1]] for ids in runs], device=model.device)
    with threads_for(model.d_model), torch.no_grad():
        stems, below = Stems(model, [ids[:-1] for ids in runs], room=1), LowerBlocks(model)
        with below.kept([layer] if layer > EMBED else []):
            stems.go_on(last, torch.ones_like(last))
    tasks, groups = tuple(dict.fromkeys(map(str, pairs["task"]))), len({each.pair for each in examples})
    return DasExamples(layer, tokens, last, stems, below, tasks, groups)


def train_das(
    model: LoadedModel,
    examples: DasExamples,
    *,
    rank: int = 1,
    epochs: int = 10,
    learning_rate: float = 0.06,
    arbitrary: bool = False,
    seed: int = 0,
) -> FittedSubspace:
    """`fit_das` on examples that were read before."""
    from transformer_lens.tools.analysis.interchange import arbitrary_targets
    from transformer_lens.tools.analysis.interchange import fit_das as train

    layer, tokens, last, n = examples.layer, examples.tokens, examples.last, len(examples.tokens)

    def task_logits(rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        # What is exchanged and what is asked for stand at one token, on top of what was read before.
        ids = last[rows.to(last.device)]
        with examples.below.passed_over(layer, rows):
            logits = examples.stems.go_on(ids, torch.ones_like(ids), rows=rows)[:, -1].float()
        return logits.gather(1, tokens[(rows % n).to(tokens.device)])

    targets = arbitrary_targets(range(n), 2, seed) if arbitrary else torch.ones(n, dtype=torch.long)
    with threads_for(model.d_model):
        found = train(
            model.bridge,
            hook_name(layer),
            torch.arange(n),
            torch.arange(n, 2 * n),
            targets,
            task_logits,
            rank=as_count(rank, "rank"),
            base_positions=torch.zeros(n, dtype=torch.long),
            source_positions=torch.zeros(n, dtype=torch.long),
            epochs=as_count(epochs, "epochs"),
            batch_size=BATCH,
            lr=learning_rate,
            seed=seed,
        )
    basis = np.linalg.qr(found.basis.double().cpu().numpy())[0].T
    origin = np.zeros(model.d_model)
    read_at = ReadAt(layer, POSITION, n, examples.groups, origin, model.fingerprint, examples.tasks)
    name = "DAS, arbitrary targets" if arbitrary else "DAS"
    return FittedSubspace(basis=basis, mean=origin, name=name, read_at=read_at)


def _examples(model: LoadedModel, pairs: pd.DataFrame, max_tokens: int) -> list[_Example]:
    """In both directions, the first `EXAMPLES` tokens of each text before which the two runs part."""
    runs: list[Run] = []
    for pair in pairs.to_dict("records"):
        texts = [list(pair[f"{side}_tokens"])[:max_tokens] for side in ("satisfied", "violated")]
        prompts = [list(pair[f"{side}_tokens"]) for side in ("prompt", "source")]
        runs += [(prompt, text) for text in texts for prompt in prompts]
    likeliest = _next_tokens(model, runs)
    found: list[_Example] = []
    for number, ((asks, text), (other, _)) in enumerate(zip(runs[::2], runs[1::2], strict=True)):
        first, second = likeliest[2 * number], likeliest[2 * number + 1]
        for k in np.flatnonzero(first != second)[:EXAMPLES]:
            ways = (asks, other, first[k], second[k]), (other, asks, second[k], first[k])
            for base, source, mine, theirs in ways:
                example = [*base, *text[:k]], [*source, *text[:k]], (int(mine), int(theirs)), number // 2
                found.append(_Example(*example))
    return found


def _next_tokens(model: LoadedModel, runs: Sequence[Run]) -> list[Int[np.ndarray, " tokens"]]:
    """The likeliest token before each token of each run's text."""
    found: list[Int[np.ndarray, " tokens"]] = []
    with reading(model):
        while len(found) < len(runs):
            ahead = runs[len(found) :]
            batch = ahead[: rows_per_pass(model, max(len(p) + len(t) for p, t in ahead))]
            logits = read_logits(model, batch)
            for row, (prompt, text) in enumerate(batch):
                before = logits[row, len(prompt) - 1 : len(prompt) - 1 + len(text)]
                found.append(before.argmax(-1).cpu().numpy())
    return found
