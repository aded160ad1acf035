"""Interchange under teacher forcing: where it must give the other run, and where nothing at all."""

import numpy as np
import pandas as pd
import pytest
import torch

from if_circuits.activations.interchange import apply_interchanges, interchange
from if_circuits.activations.interchange_pairs import interchange_pairs
from if_circuits.activations.log_odds import ReadPrompts
from if_circuits.activations.teacher_forcing import read_logits
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.interchange import Interchange, interchanges
from if_circuits.interventions.operations import Add
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel


def pairs_of(model: LoadedModel, n: int = 3) -> pd.DataFrame:
    """Prompts and texts of different lengths."""
    asks = model.chat.encode([f"Write of the river in {k} words." for k in range(n)])
    other = model.chat.encode(["Write of the river."] * n)
    texts = model.chat.encode([f"river {'and stone ' * k}" for k in range(2 * n)])
    return pd.DataFrame(
        {
            "task": "word_count",
            "base_query": [f"query {i}" for i in range(n)],
            "parameters": "{}",
            "prompt_tokens": asks,
            "source_tokens": other,
            "satisfied_tokens": texts[:n],
            "violated_tokens": texts[n:],
            "violated_by": "counterpart",
        }
    )


def test_at_the_last_layer_all_of_the_other_run_is_the_other_run(model: LoadedModel) -> None:
    pairs = pairs_of(model)
    found = interchange(model, pairs, layers=[0, model.n_layers - 1], positions="all", progress=False)
    last = found[found["layer"] == model.n_layers - 1]
    np.testing.assert_allclose(last["shift"], last["full"], rtol=1e-3, atol=1e-3)
    assert (last["full"].abs() > 1e-2).all()
    # One direction's run untouched is the other direction's source.
    takes, gives = (last[last["direction"] == name].reset_index() for name in ("takes", "gives"))
    np.testing.assert_allclose(takes["log_odds_base"], gives["log_odds_source"], rtol=1e-5, atol=1e-5)


def test_without_a_dose_and_where_both_runs_are_the_same_nothing_changes(llama: LoadedModel) -> None:
    pairs = pairs_of(llama)
    for_nothing = interchanges(1, doses=[0.0], subspace=None)
    embedded = interchanges(-1)  # both runs have the same tokens there
    found = apply_interchanges(llama, pairs, [*for_nothing, *embedded])
    np.testing.assert_allclose(found["shift"], 0.0, atol=1e-4)


def test_a_subspace_of_all_dimensions_is_the_whole_residual_stream(llama: LoadedModel) -> None:
    whole = Subspace(basis=np.eye(llama.d_model), mean=np.zeros(llama.d_model), name="everything")
    found = apply_interchanges(llama, pairs_of(llama), [Interchange(1), Interchange(1, subspace=whole)])
    shift = found.groupby("subspace")["shift"].apply(list)
    np.testing.assert_allclose(shift["everything"], shift["residual"], rtol=1e-3, atol=1e-3)
    assert found["rank"].dropna().unique().tolist() == [llama.d_model]


def test_rows_come_in_the_order_of_interchanges_and_pairs_whatever_their_length(llama: LoadedModel) -> None:
    pairs = pairs_of(llama)
    together = interchange(llama, pairs, layers=1, placebos=1, progress=False)
    alone = interchange(llama, pairs.iloc[[2]], layers=1, placebos=1, progress=False)
    here = together[together["pair"] == 2].reset_index(drop=True)
    for name in ("shift", "log_odds", "log_prob"):
        np.testing.assert_allclose(here[name], alone[name], rtol=1e-4, atol=1e-4)
    assert here["placebo"].isna().sum() == 6 == len(here) / 2


def test_prompts_read_once_give_the_log_probabilities_of_one_pass(model: LoadedModel) -> None:
    pairs = pairs_of(model)
    runs = list(zip(pairs["prompt_tokens"], pairs["violated_tokens"], strict=True))
    step = Intervention(Add(np.ones(model.d_model), 0.3), layers=1)
    read = ReadPrompts(model, runs)
    for interventions in ((), (step,), ()):  # the prompts stay as they were read
        logits = read_logits(model, runs, interventions=interventions).log_softmax(-1)
        expected = [
            float(logits[i, len(p) - 1 : len(p) + len(t) - 1].gather(1, torch.tensor(t)[:, None]).sum())
            for i, (p, t) in enumerate(runs)
        ]
        np.testing.assert_allclose(read.log_probabilities(interventions), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match="from the prompt's last token on"):
        read.log_probabilities([Intervention(Add(np.ones(model.d_model), 1.0), 1, Scope(prompt=True))])


def answers() -> pd.DataFrame:
    """Two base queries of a task: of one, both prompts' responses satisfy."""
    rows = [
        ("a/0", "a", True, "satisfied"),
        ("a/0/twin", "a", False, "violated"),
        ("b/0", "b", True, "satisfied"),
        ("b/0", "b", True, "violated"),
        ("b/0/twin", "b", False, "satisfied"),
        ("c/0", "c", True, "violated"),
        ("c/0/twin", "c", False, "violated"),
    ]
    table = pd.DataFrame(rows, columns=["prompt_id", "base_query", "constrained", "verdict"])
    return table.assign(
        task="json_format",
        parameters="{}",
        prompt_tokens=[[i, 0] for i in range(len(rows))],
        response_tokens=[[i] for i in range(len(rows))],
    )


def test_pairs_take_the_counterparts_violation_or_else_the_prompts_own() -> None:
    pairs = interchange_pairs(answers())
    assert pairs["base_query"].tolist() == ["a", "b"]  # nothing satisfies in c
    assert pairs["violated_by"].tolist() == ["counterpart", "own prompt"]
    assert pairs["satisfied_tokens"].tolist() == [[0], [2]]
    assert pairs["violated_tokens"].tolist() == [[1], [3]]
    assert pairs["source_tokens"].tolist() == [[1, 0], [4, 0]]


def test_pairs_of_two_tasks_have_the_other_tasks_prompt_and_a_text_that_is_verified_anew() -> None:
    shared = {"base_query": "river", "constrained": True, "verdict": "satisfied"}
    rows = pd.DataFrame(
        [
            {**shared, "task": "json_format", "parameters": '{"key": "text"}', "response": '{"text": "Hi."}'},
            {**shared, "task": "word_count", "parameters": '{"n": 1}', "response": "Hi."},
        ]
    ).assign(
        prompt_id=["json/0", "count/0"],
        prompt_tokens=[[1, 2], [3, 4]],
        response_tokens=[[5], [6]],
        reason="",
    )
    (pair,) = interchange_pairs(rows, other="word_count").to_dict("records")
    assert (pair["task"], pair["violated_by"]) == ("json_format", "word_count")
    assert (pair["source_tokens"], pair["violated_tokens"]) == ([3, 4], [6])
    with pytest.raises(InputError, match="no responses to 'rhyme'"):
        interchange_pairs(rows, other="rhyme")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"position": "middle"}, "prompt_end, response, all"),
        ({"direction": "steals"}, "takes, gives"),
        ({"dose": float("nan")}, "dose"),
    ],
)
def test_what_is_no_interchange_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Interchange(1, **given)  # pyright: ignore[reportArgumentType]


def test_pairs_without_their_columns_are_refused(llama: LoadedModel) -> None:
    with pytest.raises(InputError, match="without satisfied_tokens"):
        interchange(llama, pairs_of(llama).drop(columns="satisfied_tokens"), layers=1)
    with pytest.raises(InputError, match="got .99"):
        interchange(llama, pairs_of(llama), layers=99, progress=False)
