"""Answers under interchange: what is written is what the runs in step say."""

import numpy as np
import pandas as pd
import pytest

from if_circuits.activations.donors import record_donor
from if_circuits.errors import InputError
from if_circuits.generation.decoding import decode
from if_circuits.generation.in_step import decode_in_step, interchange_answers
from if_circuits.generation.responses import GenerationConfig, generate_conditions
from if_circuits.interventions.interchange import Interchange
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel

ASKS = ["Write of the river in two words.", "Write of the tall mountain in seven words.", "Sound glad."]
OTHER = ["Write of the river.", "Write of the mountain.", "Hi"]


def test_with_all_of_the_other_run_at_the_last_layer_its_answers_are_written(model: LoadedModel) -> None:
    asks, other = model.chat.encode(ASKS), model.chat.encode(OTHER)
    own = decode(model, asks, range(3), max_new_tokens=12)
    others = decode(model, other, range(3), max_new_tokens=12)
    assert own != others
    last = model.n_layers - 1
    assert decode_in_step(model, asks, other, Interchange(last), max_new_tokens=12) == others
    assert decode_in_step(model, asks, other, Interchange(last, dose=0.0), max_new_tokens=12) == own


def test_at_the_prompts_end_it_is_patching_from_recorded_runs(llama: LoadedModel) -> None:
    asks, other = llama.chat.encode(ASKS), llama.chat.encode(OTHER)
    runs = pd.DataFrame({"prompt_tokens": other, "response_tokens": [[]] * 3})
    at_end = Interchange(1, position="prompt_end")
    patch = at_end.intervention(record_donor(llama, runs, layers=1))
    config = GenerationConfig(max_new_tokens=10, temperature=0.0)
    expected = generate_conditions(llama, ASKS, config, {"patched": [patch]})["response_tokens"].tolist()
    assert decode_in_step(llama, asks, other, at_end, max_new_tokens=10) == expected
    intact = decode(llama, asks, range(3), max_new_tokens=10)
    assert expected != intact


def test_answers_are_verified_by_the_constraint_of_the_pair(llama: LoadedModel) -> None:
    pairs = pd.DataFrame(
        {
            "task": "word_count",
            "base_query": ["a", "b", "c"],
            "parameters": '{"n": 2}',
            "prompt_tokens": llama.chat.encode(ASKS),
            "source_tokens": llama.chat.encode(OTHER),
        }
    )
    taken = [Interchange(1, direction=way) for way in ("takes", "gives")]
    answers = interchange_answers(llama, pairs, taken, max_new_tokens=6)
    assert answers["direction"].tolist() == ["takes"] * 3 + ["gives"] * 3
    assert set(answers["verdict"]) <= {"satisfied", "violated"} and answers["reason"].str.len().all()
    given = decode_in_step(llama, pairs["source_tokens"], pairs["prompt_tokens"], taken[1], max_new_tokens=6)
    assert answers["response_tokens"].tolist()[3:] == given
    with pytest.raises(InputError, match="without parameters"):
        interchange_answers(llama, pairs.drop(columns="parameters"), taken)


def test_what_does_not_fit_the_model_is_refused(llama: LoadedModel) -> None:
    prompts = llama.chat.encode(ASKS)
    with pytest.raises(InputError, match="layer 99"):
        decode_in_step(llama, prompts, prompts, Interchange(99), max_new_tokens=2)
    narrow = Subspace(basis=np.eye(3)[:1], mean=np.zeros(3), name="narrow")
    with pytest.raises(InputError, match="has d = 3"):
        decode_in_step(llama, prompts, prompts, Interchange(0, subspace=narrow), max_new_tokens=2)
