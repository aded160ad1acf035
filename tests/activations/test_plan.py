"""The plan of a capture: order, index, hash, and responses that contradict themselves."""

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.plan import plan_capture
from if_circuits.errors import InputError
from tests.activations.sequences import make_sequences


def test_longest_first_and_every_row_once() -> None:
    plan = plan_capture(make_sequences(30))
    lengths = [len(plan.tokens(row)) for row in plan.order]
    assert lengths == sorted(lengths, reverse=True)
    rows = np.concatenate(list(plan.shards(7)))
    assert sorted(rows) == list(range(30))


def test_the_index_finds_each_response_in_its_shard() -> None:
    plan = plan_capture(make_sequences(30))
    index = plan.index(7)
    shards = list(plan.shards(7))
    for row, entry in enumerate(index.itertuples()):
        assert shards[entry.shard][entry.row] == row


def test_token_lists_and_arrays_hash_alike_and_any_change_shows() -> None:
    sequences = make_sequences(5)
    arrays = sequences.assign(
        prompt_tokens=[np.array(t) for t in sequences["prompt_tokens"]],
        response_tokens=[np.array(t, dtype=np.int32) for t in sequences["response_tokens"]],
    )
    original = plan_capture(sequences).sha256()
    assert plan_capture(arrays).sha256() == original
    moved = sequences.copy()  # a token that moves from response to prompt leaves the sequence as it was
    moved.at[4, "prompt_tokens"] = [*sequences.at[4, "prompt_tokens"], sequences.at[4, "response_tokens"][0]]
    moved.at[4, "response_tokens"] = sequences.at[4, "response_tokens"][1:]
    moved.at[4, "n_tokens"] -= 1
    renamed = sequences.assign(response_id=[f"x{n}" for n in range(5)])
    assert len({original, plan_capture(moved).sha256(), plan_capture(renamed).sha256()}) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.drop(columns=["truncated", "n_tokens"]), r"lack the column\(s\) n_tokens, truncated"),
        (lambda s: s.iloc[:0], "no responses"),
        (lambda s: pd.concat([s, s]), "duplicates"),
        (lambda s: s.assign(truncated=True), "'r0' has 1 tokens; n_tokens = 0 and truncated = True mean 0"),
        (lambda s: s.assign(prompt_tokens=[[]] * len(s)), "'r0' has an empty prompt"),
    ],
)
def test_contradictions_are_named(change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_capture(change(make_sequences(5)))


def test_rows_that_share_an_answer_are_read_once() -> None:
    sequences = make_sequences(6)
    shared = pd.concat([sequences, sequences.iloc[[2, 2, 4]]], ignore_index=True)
    answers = shared["response_id"].tolist()
    shared = shared.assign(response_id=[f"x{n}" for n in range(9)], answer=answers)
    plan, alone = plan_capture(shared), plan_capture(shared.drop(columns="answer"))
    assert sorted(plan.order) == list(range(6))
    assert plan.read_as.tolist() == [0, 1, 2, 3, 4, 5, 2, 2, 4]
    places = plan.index(4)[["shard", "row"]].to_numpy()
    assert (places[[6, 7, 8]] == places[[2, 2, 4]]).all()
    assert len(np.unique(places, axis=0)) == 6
    assert plan.sha256() != alone.sha256()
    assert sorted(alone.order) == list(range(9))
    with pytest.raises(InputError, match="share the answer 'r0' and differ in their tokens"):
        plan_capture(shared.assign(answer=["r0"] * 9))
