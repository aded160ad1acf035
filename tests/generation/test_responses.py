from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate, generate_conditions
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import Add, ProjectOut
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel

GREEDY = GenerationConfig(max_new_tokens=12, temperature=0.0)
SAMPLED = GenerationConfig(max_new_tokens=12, temperature=1.5, samples_per_prompt=3, batch_size=64)


@pytest.fixture
def prompts() -> pd.DataFrame:
    texts = [
        "Write a note about the river.",
        "Hi",
        "Never use the word river! " * 3,
        "Use exactly eight words.",
    ]
    return pd.DataFrame({"prompt_id": list("abcd"), "task": "topic", "prompt": texts})


def random_subspace(seed: int, *, rank: int = 6, d: int = 32) -> Subspace:
    directions = np.random.default_rng(seed).normal(size=(rank, d))
    return Subspace.orthonormalise(directions, name=f"random {seed}")


@pytest.mark.parametrize("batch_size", [1, 5])
def test_batch_size_changes_no_response(model: LoadedModel, prompts: pd.DataFrame, batch_size: int) -> None:
    for config in (GREEDY, SAMPLED):
        expected = generate(model, prompts, config)
        pd.testing.assert_frame_equal(
            generate(model, prompts, replace(config, batch_size=batch_size)), expected
        )


def test_order_and_company_change_no_response(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    responses = generate(llama, prompts, SAMPLED).set_index("response_id")
    some = generate(llama, prompts.iloc[[3, 0]], SAMPLED)
    assert some["prompt_id"].tolist() == ["d"] * 3 + ["a"] * 3
    for row in some.to_dict("records"):
        assert row["response_tokens"] == responses.at[row["response_id"], "response_tokens"]


def test_more_tokens_and_more_samples_only_add(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    few = generate(llama, prompts, replace(SAMPLED, samples_per_prompt=1))
    more = generate(llama, prompts, replace(SAMPLED, max_new_tokens=20)).query("sample == 0")
    for short, long in zip(few["response_tokens"], more["response_tokens"], strict=True):
        assert long[: len(short)] == short


def test_samples_prompts_and_seeds_have_noise_of_their_own(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    same_text = prompts.assign(prompt="Hi")
    texts = [
        tuple(ids)
        for seed in (0, 1)
        for ids in generate(llama, same_text, replace(SAMPLED, seed=seed))["response_tokens"]
    ]
    assert len(set(texts)) == len(texts)
    again = generate(llama, same_text, replace(SAMPLED, seed=1))["response_tokens"]
    assert [tuple(ids) for ids in again] == texts[12:]


def test_the_table_says_what_was_generated(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    plain = generate(llama, prompts, GREEDY)
    end = plain["response_tokens"][0][5]
    ends = replace(llama, chat=replace(llama.chat, eos_ids=(end,)))
    table = generate(ends, prompts, GREEDY)
    assert table["task"].eq("topic").all()
    assert table["response_id"].tolist() == ["a/0", "b/0", "c/0", "d/0"]
    assert table["prompt_tokens"].tolist() == llama.chat.encode(prompts["prompt"].tolist())
    first = table.iloc[0]
    length = plain["response_tokens"][0].index(end)
    assert first["response_tokens"] == plain["response_tokens"][0][: length + 1]
    assert (first["n_tokens"], first["truncated"]) == (length, False)
    assert first["response"] == llama.chat.decode(first["response_tokens"][:length])
    for row in table.to_dict("records"):
        assert row["truncated"] == (end not in row["response_tokens"])
        assert row["n_tokens"] == len(row["response_tokens"]) - (not row["truncated"])
    assert table["truncated"].any()


def test_conditions_of_one_run_equal_one_run_each(model: LoadedModel, prompts: pd.DataFrame) -> None:
    conditions = {
        "intact": [],
        "first": [Intervention(ProjectOut(random_subspace(0)), (1,))],
        "second": [
            Intervention(ProjectOut(random_subspace(1), alpha=2.0), (-1, 1), Scope(prompt=True)),
            Intervention(Add(np.ones(32), 0.5), (1,)),
        ],
    }
    for config in (GREEDY, SAMPLED, replace(SAMPLED, batch_size=7)):
        together = generate_conditions(model, prompts, config, conditions)
        apart = {name: generate(model, prompts, config, interventions=c) for name, c in conditions.items()}
        assert together["condition"].unique().tolist() == list(conditions)
        assert together["response_id"].is_unique
        for name, table in together.groupby("condition"):
            assert table["response_tokens"].tolist() == apart[str(name)]["response_tokens"].tolist()
            assert table["sample"].tolist() == apart[str(name)]["sample"].tolist()
        texts = {tuple(map(tuple, table["response_tokens"])) for table in apart.values()}
        assert len(texts) == len(conditions)


def test_a_condition_may_be_for_some_prompts_alone(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    conditions = {
        name: [Intervention(ProjectOut(random_subspace(seed, rank=seed + 1)), (0, 1))]
        for seed, name in enumerate(("all", "some", "none", "one"))
    }
    only = {"some": {"a", "c"}, "none": set[str](), "one": {"d"}}
    everywhere = generate_conditions(llama, prompts, SAMPLED, conditions)
    table = generate_conditions(llama, prompts, SAMPLED, conditions, only=only)
    assert table.groupby("condition")["prompt_id"].unique().map(sorted).to_dict() == {
        "all": list("abcd"),
        "some": ["a", "c"],
        "one": ["d"],
    }
    expected = everywhere.set_index("response_id").loc[table["response_id"]].reset_index()
    pd.testing.assert_frame_equal(table, expected[table.columns])
    with pytest.raises(InputError, match="no condition 'other'; expected one of all, some"):
        generate_conditions(llama, prompts, GREEDY, conditions, only={"other": {"a"}})


def test_what_all_prompts_begin_with_is_read_once(model: LoadedModel, prompts: pd.DataFrame) -> None:
    start = "You are a careful assistant that writes as it is told to. " * 2
    alike = prompts.assign(prompt=start + prompts["prompt"])
    read: list[tuple[int, int]] = []

    def count(_module: object, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
        read.append(tuple(kwargs["input_ids"].shape))

    conditions = {"intact": [], "removed": [Intervention(ProjectOut(random_subspace(0)), (1,))]}
    for config in (GREEDY, SAMPLED):
        alone = [
            generate_conditions(model, alike.iloc[[i]], replace(config, batch_size=1), conditions)
            for i in range(len(alike))
        ]
        watcher = model.hf.register_forward_pre_hook(count, with_kwargs=True)
        try:
            together = generate_conditions(model, alike, config, conditions)
        finally:
            watcher.remove()
        expected = pd.concat(alone).set_index("response_id").loc[together["response_id"]]
        assert together["response_tokens"].tolist() == expected["response_tokens"].tolist()
    shared = [length for rows, length in read if rows == 1 and length >= 16]
    shortest = min(map(len, together["prompt_tokens"]))
    assert len(shared) in (0, 2)
    # Where a layer attends to the last tokens alone, the padding must stand before the prompt.
    assert bool(shared) == ("sliding" not in str(getattr(model.hf.config, "layer_types", "")))
    assert all(shortest / 2 < length < shortest for length in shared)


def test_conditions_that_leave_the_prompt_alone_share_its_reading(
    model: LoadedModel, prompts: pd.DataFrame
) -> None:
    conditions = {
        "intact": [],
        "first": [Intervention(ProjectOut(random_subspace(0)), (-1, 1))],
        "second": [Intervention(Add(np.ones(32), 0.5), (1,), Scope(positions=(3, 60)))],
    }
    read: list[int] = []

    def count(_module: object, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
        read.append(kwargs["input_ids"].numel())

    for config in (GREEDY, SAMPLED, replace(SAMPLED, batch_size=7)):
        apart = [generate(model, prompts, config, interventions=c) for c in conditions.values()]
        read.clear()
        watcher = model.hf.register_forward_pre_hook(count, with_kwargs=True)
        try:
            together = generate_conditions(model, prompts, config, conditions)
        finally:
            watcher.remove()
        assert together["response_tokens"].tolist() == pd.concat(apart)["response_tokens"].tolist()
        assert len({tuple(map(tuple, table["response_tokens"])) for table in apart}) == len(conditions)
        longest = int(together["prompt_tokens"].map(len).max())
        if config.batch_size > len(together):
            assert read[:2] == [len(prompts) * (longest - 1), len(prompts) * len(conditions)]


def test_progress_counts_responses_up_to_all_of_them(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    told: list[tuple[int, int]] = []
    generate(llama, prompts, replace(SAMPLED, batch_size=5), progress=lambda *n: told.append(n))
    assert told == [(done, 12) for done in range(1, 13)]


def test_a_prompt_without_room_in_the_context_is_named_with_its_length(
    llama: LoadedModel, prompts: pd.DataFrame
) -> None:
    long = prompts.assign(prompt=["Hi", "word " * 300, "Hi", "Hi"])
    with pytest.raises(InputError, match=r"'b' has \d{3,} tokens and 12 new ones: more than the 256"):
        generate(llama, long, GREEDY)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda p: p.drop(columns="prompt_id"), "prompt_id"),
        (lambda p: p.iloc[:0], "at least one row"),
        (lambda p: p.assign(prompt_id=["a", "b", "a", "c"]), "'a' occurs twice"),
    ],
)
def test_unusable_prompts_are_refused(
    llama: LoadedModel, prompts: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        generate(llama, change(prompts), GREEDY)


@pytest.mark.parametrize(
    "setting",
    [
        {"max_new_tokens": 0},
        {"batch_size": 0},
        {"samples_per_prompt": 0},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"top_p": float("nan")},
        {"samples_per_prompt": 2},
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(setting))):
        replace(GREEDY, **setting)


def test_no_conditions_at_all_are_refused(llama: LoadedModel, prompts: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no conditions"):
        generate_conditions(llama, prompts, GREEDY, {})
