import pandas as pd
import pytest

from if_circuits.errors import InputError
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.interventions import Add, Intervention, Scope
from if_circuits.models.loading import LoadedModel
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

GREEDY = GenerationConfig(max_new_tokens=8, temperature=0.0)


def steer(model: LoadedModel) -> Intervention:
    direction = model.hf.get_input_embeddings().weight[9].numpy()
    return Intervention(Add(direction, 3.0), (1,), Scope(prompt=True))


def test_texts_are_answered_under_each_condition(llama: LoadedModel) -> None:
    texts = ["Write a note.", "Hi"]
    table = responses_under(llama, texts, {"intact": [], "steered": steer(llama)}, config=GREEDY)
    assert table["condition"].tolist() == ["intact", "intact", "steered", "steered"]
    assert table["prompt"].tolist() == texts * 2
    assert table["prompt_id"].tolist() == ["0", "1"] * 2
    assert "verdict" not in table.columns
    for name, interventions in (("intact", []), ("steered", [steer(llama)])):
        alone = generate(llama, texts, GREEDY, interventions=interventions)
        assert table[table["condition"] == name]["response"].tolist() == alone["response"].tolist()


def test_prompts_of_tasks_are_verified(llama: LoadedModel) -> None:
    prompts = build_prompts(get_tasks(["word_count", "topic"]), n_base_queries=2, held_out_only=True)
    table = responses_under(llama, prompts, {"intact": []}, config=GREEDY)
    expected = verify(generate(llama, prompts, GREEDY))
    assert table["verdict"].tolist() == expected["verdict"].tolist()
    assert table["reason"].tolist() == expected["reason"].tolist()


def test_without_a_configuration_decoding_is_greedy_and_of_the_presets_length(llama: LoadedModel) -> None:
    table = responses_under(llama, ["Hi"], {"intact": []})
    config = GenerationConfig(llama.preset.max_new_tokens, temperature=0.0)
    pd.testing.assert_series_equal(table["response"], generate(llama, ["Hi"], config)["response"])


def test_one_text_instead_of_a_list_is_refused(llama: LoadedModel) -> None:
    with pytest.raises(InputError, match=r"give \['Hi'\] for one"):
        responses_under(llama, "Hi", {"intact": []})
