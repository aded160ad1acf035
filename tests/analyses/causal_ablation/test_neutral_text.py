from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from if_circuits.analyses.causal_ablation.neutral_text import Texts, read_texts
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import ProjectOut
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel


@pytest.fixture(scope="module")
def texts(load) -> pd.DataFrame:
    chat = load("llama").chat
    rng = np.random.default_rng(0)
    prompts = chat.encode(["the river", "a short note about the old harbour", "the band"])
    responses = [[int(token) for token in rng.integers(20, 200, size=n)] for n in (7, 3, 5)]
    return pd.DataFrame(
        {
            "base_query": ["a", "b", "c"],
            "prompt_tokens": pd.Series(prompts, dtype=object),
            "response_tokens": pd.Series(responses, dtype=object),
        }
    )


def read_under(
    model: LoadedModel, texts: pd.DataFrame, conditions: Mapping[str, Sequence[Intervention]]
) -> pd.DataFrame:
    return read_texts(model, Texts(texts, conditions, batch_size=64), None)


def removal(model: LoadedModel, direction: np.ndarray, *, alpha: float = 1.0) -> list[Intervention]:
    subspace = Subspace.orthonormalise(direction[None], name="direction")
    return [Intervention(ProjectOut(subspace, alpha=alpha), layers=(model.n_layers - 1,))]


def test_an_identity_changes_no_distribution(llama: LoadedModel, texts: pd.DataFrame):
    direction = np.random.default_rng(1).standard_normal(llama.d_model)
    found = read_under(llama, texts, {"intact": (), "identity": removal(llama, direction, alpha=0.0)})
    np.testing.assert_allclose(found["kl"], 0, atol=1e-5)
    nll = found.pivot(index="base_query", columns="condition", values="nll")
    np.testing.assert_allclose(nll["identity"], nll["intact"], rtol=1e-5)


def test_a_direction_that_the_output_reads_does_more_damage_than_random_ones(
    llama: LoadedModel, texts: pd.DataFrame
):
    head: Any = llama.hf.get_output_embeddings()
    original = getattr(head, "original_component", head)
    weights = original.weight.detach().double().numpy()
    read = np.linalg.svd(weights - weights.mean(axis=0))[2]
    rng = np.random.default_rng(2)
    conditions = {"read": removal(llama, read[0]), "unread": removal(llama, read[-1])}
    conditions |= {f"random/{i}": removal(llama, rng.standard_normal(llama.d_model)) for i in range(19)}
    kl = read_under(llama, texts, conditions).groupby("condition")["kl"].sum()
    random = kl[[name for name in kl.index if name.startswith("random")]]
    assert kl["read"] > random.mean()
    assert kl["unread"] < kl["read"]
    assert (kl > 0).all()


def test_log_probabilities_are_those_of_each_text_alone(llama: LoadedModel, texts: pd.DataFrame):
    together = read_under(llama, texts, {"intact": ()}).set_index("base_query")
    assert together["tokens"].to_dict() == {"a": 7, "b": 3, "c": 5}
    hf: Any = llama.hf
    for row in texts.to_dict("records"):
        ids = torch.tensor([[*row["prompt_tokens"], *row["response_tokens"]]])
        with torch.no_grad():
            logs = hf(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
        start = len(row["prompt_tokens"])
        alone = -sum(float(logs[start - 1 + i, token]) for i, token in enumerate(row["response_tokens"]))
        assert together.loc[row["base_query"], "nll"] == pytest.approx(alone, rel=1e-4)
