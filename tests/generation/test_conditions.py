import json
from dataclasses import replace

import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.errors import InputError
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.interventions import Add, Intervention, Scope
from if_circuits.models.loading import LoadedModel
from if_circuits.tasks.judges.choice import usual_judges
from if_circuits.tasks.judges.encoder import encoder_directory
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
    judges = usual_judges(llama.preset, ["topic"])
    expected = verify(generate(llama, prompts, GREEDY), chosen=judges)
    assert table["verdict"].tolist() == expected["verdict"].tolist()
    assert table["reason"].tolist() == expected["reason"].tolist()


def test_without_a_configuration_decoding_is_greedy_and_of_the_presets_length(llama: LoadedModel) -> None:
    table = responses_under(llama, ["Hi"], {"intact": []})
    config = GenerationConfig(llama.preset.max_new_tokens, temperature=0.0)
    pd.testing.assert_series_equal(table["response"], generate(llama, ["Hi"], config)["response"])


def test_one_text_instead_of_a_list_is_refused(llama: LoadedModel) -> None:
    with pytest.raises(InputError, match=r"give \['Hi'\] for one"):
        responses_under(llama, "Hi", {"intact": []})


@pytest.mark.skipif(encoder_directory() is None, reason="needs the sentence encoder (extra `judges`)")
def test_whoever_asks_a_model_has_the_judges_that_its_study_would_have(llama: LoadedModel) -> None:
    prompts = pd.DataFrame(
        {
            "prompt_id": ["a"],
            "prompt": "Write about the sea. Write in informal style.",
            "task": "register",
            "parameters": json.dumps({"style": "informal"}),
        }
    )
    said: set[str] = set()
    for suite, judge in (("open", "register-encoder"), ("controlled", "register-lexicon")):
        model = replace(llama, preset=replace(llama.preset, suite=suite))
        responses = ifc.respond(model, prompts, max_new_tokens=8, temperature=0)
        under = responses_under(model, prompts, {"intact": []}, config=GREEDY)
        (reason,) = verify(responses, chosen=[("register", judge)])["reason"]
        ids = model.chat.encode(prompts["prompt"].tolist())
        pairs = prompts.assign(base_query="sea", prompt_tokens=ids, source_tokens=ids)
        exchanged = ifc.interchange_answers(model, pairs, [ifc.Interchange(1, dose=0)], max_new_tokens=8)
        for asked in (responses, under, exchanged):
            assert asked["reason"].tolist() == [reason]
        said.add(reason)
    assert len(said) == 2
