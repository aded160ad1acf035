"""IFEval's prompts as tasks, and our verifiers against its published verdicts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from if_circuits.errors import InputError
from if_circuits.tasks.ifeval import KINDS, read_ifeval
from if_circuits.tasks.labels import Label
from if_circuits.tasks.registry import get_task

DATA = Path(__file__).parents[3] / "shared/data"


def write(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in records))
    return path


def record(key: int, instructions: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": key,
        "prompt": f"Prompt {key}.",
        "instruction_id_list": list(instructions),
        "kwargs": list(instructions.values()),
    }


def test_each_verified_instruction_is_a_row_of_its_prompt(tmp_path: Path):
    both = {
        "punctuation:no_comma": {},
        "length_constraints:number_words": {"relation": "at least", "num_words": 3, "keywords": None},
        "keywords:existence": {"keywords": ["river", "coach"]},
    }
    path = write(tmp_path / "a.jsonl", record(1, both), "", record(2, {"punctuation:no_comma": {}}))
    prompts = read_ifeval(path)
    assert prompts["task"].tolist() == ["word_count", "term_inclusion"]
    assert prompts["base_query"].unique().tolist() == ["ifeval-1"]
    assert prompts["prompt_id"].is_unique
    assert prompts["constrained"].all()
    verdicts = [
        get_task(row["task"]).verify(["The river, the coach."], [json.loads(row["parameters"])], {})[0].label
        for _, row in prompts.iterrows()
    ]
    assert verdicts == [Label.SATISFIED, Label.SATISFIED]
    assert read_ifeval(path, tasks=["word_count"])["task"].tolist() == ["word_count"]


JSON = {"detectable_format:json_format": {}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON list"),
        ({"key": 1}, "'prompt' is missing"),
        ({**record(5, JSON), "kwargs": []}, "1 instructions and 0 kwargs"),
        ({**record(5, JSON), "prompt": 3}, "'prompt' is 3"),
        (record(5, {"length_constraints:number_words": {"relation": "about", "num_words": 3}}), "at least"),
        (record(5, {"keywords:existence": {"keywords": "river"}}), "a list of words"),
        (record(5, {"keywords:forbidden_words": None}), "forbidden_words"),
        (record(4, JSON), "key 4 stands in line 1"),
    ],
    ids=str,
)
def test_a_malformed_line_is_named_with_what_was_expected(tmp_path: Path, line: Any, message: str):
    path = write(tmp_path / "a.jsonl", record(4, JSON), line)
    with pytest.raises(InputError, match=message) as caught:
        read_ifeval(path)
    assert "a.jsonl, line 2: " in str(caught.value)
    assert "expected " in str(caught.value)


def test_a_file_without_anything_to_verify_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", record(1, {"punctuation:no_comma": {}}))
    with pytest.raises(InputError, match="none to verify; verified are length_constraints:number_words"):
        read_ifeval(path)
    with pytest.raises(InputError, match="no instruction that topic verifies"):
        read_ifeval(write(path, record(1, JSON)), tasks=["topic"])
    with pytest.raises(InputError, match="cannot be read"):
        read_ifeval(tmp_path / "missing.jsonl")


def test_verdicts_agree_with_those_that_ifeval_published():
    """The four disagreements: IFEval counts runs of letters as words, so `well-known` is two; and it finds a
    keyword inside another word.
    """
    folder = DATA / "ifeval_gpt4"
    if not folder.exists():
        pytest.skip("needs IFEval's responses and verdicts, which are not part of the project")
    arguments = {
        each["prompt"]: each["kwargs"]
        for each in map(json.loads, (folder / "input_data.jsonl").read_text().splitlines())
    }
    agreement: dict[str, Counter[bool]] = {kind: Counter() for kind in KINDS}
    disagreements: list[tuple[str, str]] = []
    for line in (folder / "eval_results_strict.jsonl").read_text().splitlines():
        each = json.loads(line)
        instructions = zip(
            each["instruction_id_list"],
            arguments[each["prompt"]],
            each["follow_instruction_list"],
            strict=True,
        )
        for name, given, published in instructions:
            if (kind := KINDS.get(name)) is None:
                continue
            found = get_task(kind.task).verify([each["response"]], [kind.parameters(given)], {})[0]
            ours = found.label is Label.SATISFIED
            agreement[name][ours == published] += 1
            if ours != published:
                disagreements.append((name, found.reason))
    assert {name: (counts[True], counts.total()) for name, counts in agreement.items()} == {
        "length_constraints:number_words": (50, 52),
        "detectable_format:json_format": (17, 17),
        "keywords:existence": (37, 39),
        "keywords:forbidden_words": (49, 49),
    }
    assert sorted(disagreements) == [
        ("keywords:existence", "'disgusting' missing"),  # it has DISGUSTINGLY
        ("keywords:existence", "'riddle' missing"),  # it has riddles
        ("length_constraints:number_words", "392 words, asked for at least 400"),
        ("length_constraints:number_words", "584 words, asked for at least 600"),
    ]
