"""What a capture will do, decided before the model runs: which rows, in which order, at which tokens.

Rows go from the longest to the shortest, so that batches hold little padding and one that does not fit into
memory fails at once. Rows that share an answer (column `answer`) to the same prompt are read once. The plan
depends on the responses alone, never on the batch size or on what was done before.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from if_circuits.activations.positions import ABSENT, POSITIONS, token_indices
from if_circuits.errors import InputError

COLUMNS = ("response_id", "prompt_tokens", "response_tokens", "n_tokens", "truncated")
"""What a plan needs of the responses; it reads the column answer as well, where there is one."""


@dataclass(frozen=True)
class CapturePlan:
    """The rows of a capture, in the order of the responses."""

    response_ids: tuple[str, ...]
    prompts: Sequence[Sequence[int]]
    responses: Sequence[Sequence[int]]
    indices: Int[np.ndarray, "n position"]
    """Token index of each position in prompt + response; -1 where the response lacks the position."""
    order: Int[np.ndarray, " distinct"]
    """Numbers of the rows that are read, from the longest sequence to the shortest."""
    read_as: Int[np.ndarray, " n"]
    """For each row the one that is read in its place: the first of those that share its answer."""

    def tokens(self, row: int) -> list[int]:
        """Prompt and response of a row, as the model reads them."""
        return [*self.prompts[row], *self.responses[row]]

    def has_position(self, rows: Int[np.ndarray, " rows"]) -> Bool[np.ndarray, "rows position"]:
        """Which positions each of the rows has."""
        return self.indices[rows] != ABSENT

    def shards(self, rows_per_shard: int) -> Iterator[Int[np.ndarray, " rows"]]:
        """Row numbers of each shard, in the order in which the shard holds them."""
        for start in range(0, len(self.order), rows_per_shard):
            yield self.order[start : start + rows_per_shard]

    def part(self, rows: Int[np.ndarray, " rows"]) -> "CapturePlan":
        """The plan of some rows alone, each of which is read, in their order here."""
        here = np.arange(len(rows))
        return CapturePlan(
            response_ids=tuple(self.response_ids[row] for row in rows),
            prompts=[self.prompts[row] for row in rows],
            responses=[self.responses[row] for row in rows],
            indices=self.indices[rows],
            order=here,
            read_as=here,
        )

    def index(self, rows_per_shard: int) -> pd.DataFrame:
        """Where each response lies: `response_id`, `shard`, `row` in it, and the token index of each
        position.
        """
        place = np.empty(len(self.read_as), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        place = place[self.read_as]
        where = {"shard": place // rows_per_shard, "row": place % rows_per_shard}
        tokens = dict(zip(POSITIONS, self.indices.T, strict=True))
        return pd.DataFrame({"response_id": list(self.response_ids), **where, **tokens})

    def sha256(self) -> str:
        """Hash of ids, tokens and positions, and of what is read once for several rows."""
        digest = hashlib.sha256(np.ascontiguousarray(self.indices).tobytes())
        for name, prompt, response in zip(self.response_ids, self.prompts, self.responses, strict=True):
            digest.update(f"{name!r} {len(prompt)} {len(response)} ".encode())
            digest.update(np.asarray([*prompt, *response], dtype=np.int64).tobytes())
        if len(self.order) < len(self.read_as):
            digest.update(self.read_as.tobytes())
        return digest.hexdigest()


def plan_capture(sequences: pd.DataFrame) -> CapturePlan:
    """Plan the capture of responses: columns response_id, prompt_tokens, response_tokens, n_tokens,
    truncated, and answer where rows share one.

    Raises InputError for missing columns, no rows, duplicate ids, an empty prompt, a response whose tokens
    do not agree with `n_tokens` and `truncated`, or rows that share an answer and differ in tokens.
    """
    missing = [column for column in COLUMNS if column not in sequences.columns]
    if missing:
        raise InputError(f"the responses lack the column(s) {', '.join(missing)}")
    if sequences.empty:
        raise InputError("there are no responses to capture")
    names, prompts, responses, counts, truncated = (sequences[column].tolist() for column in COLUMNS)
    if len(set(names)) != len(names):
        raise InputError("response_id has duplicates; each response needs an id of its own")
    indices = np.empty((len(names), len(POSITIONS)), dtype=np.int64)
    for row, (name, prompt, response) in enumerate(zip(names, prompts, responses, strict=True)):
        n_tokens, cut = int(counts[row]), bool(truncated[row])
        if len(response) != n_tokens + (not cut):
            raise InputError(
                f"response {name!r} has {len(response)} tokens; n_tokens = {n_tokens} and truncated = {cut} "
                f"mean {n_tokens + (not cut)} (the end-of-sequence token counts unless truncated)"
            )
        if len(prompt) == 0:
            raise InputError(f"response {name!r} has an empty prompt")
        indices[row] = list(token_indices(len(prompt), n_tokens, truncated=cut).values())
    lengths = np.array([len(p) + len(r) for p, r in zip(prompts, responses, strict=True)])
    longest_first, read_as = np.argsort(-lengths, kind="stable"), _read_as(sequences, prompts, responses)
    return CapturePlan(
        response_ids=tuple(str(name) for name in names),
        prompts=prompts,
        responses=responses,
        indices=indices,
        order=longest_first[np.isin(longest_first, read_as)],
        read_as=read_as,
    )


def _read_as(
    sequences: pd.DataFrame, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> Int[np.ndarray, " n"]:
    """The first row with the answer of each row; every row itself where the rows name no answers."""
    if "answer" not in sequences.columns:
        return np.arange(len(sequences))
    first = np.zeros(len(sequences), dtype=np.int64)
    seen: dict[str, int] = {}
    for row, answer in enumerate(map(str, sequences["answer"])):
        first[row] = other = seen.setdefault(answer, row)
        if list(prompts[row]) != list(prompts[other]) or list(responses[row]) != list(responses[other]):
            raise InputError(
                f"rows {other} and {row} share the answer {answer!r} and differ in their tokens; an answer "
                "is one response to one prompt"
            )
    return first
