"""What the monitor says of an answer is what the library says of it, token by token."""

from __future__ import annotations

import json
import queue
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate, generate_conditions
from if_circuits.monitor.answering import answer
from if_circuits.monitor.pace import Pace
from if_circuits.monitor.probing import LiveWords
from if_circuits.monitor.saved import read_saved
from if_circuits.monitor.subject import Subject
from if_circuits.monitor.switches import Asked, Switches
from if_circuits.study.readings import read_tokens

PROMPT = "the river"


def events_of(subject: Subject, asked: Asked) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(event)) for event in answer(subject, asked)]


def tokens_of(events: list[dict[str, Any]], row: int = 0) -> list[dict[str, Any]]:
    return [token for event in events if event["event"] == "tokens" for token in event["rows"][row]]


def test_the_answer_is_that_of_plain_generation(subject: Subject):
    config = GenerationConfig.of(subject.run_settings, temperature=0.0)
    plain = generate(subject.model, [PROMPT], config)["response"].iloc[0]
    events = events_of(subject, Asked(PROMPT))
    assert [events[0]["event"], events[-1]["event"]] == ["start", "end"]
    assert "".join(token["text"] for token in tokens_of(events)) == plain == events[-1]["answers"][0]["text"]
    assert events[0]["answers"] == ["intact"]
    assert events[-1]["answers"][0]["verdict"] is None  # no task words such a constraint


def test_readings_are_those_of_a_teacher_forced_pass(subject: Subject):
    """Of every probe at every layer, and of the words, at the prompt's end and at each token."""
    config = GenerationConfig.of(subject.run_settings, temperature=0.0)
    row = generate(subject.model, [PROMPT], config).iloc[0]
    response = row["response_tokens"][: row["n_tokens"]]
    X = read_tokens(subject.model, row["prompt_tokens"], response, subject.live.layers)
    tokens = tokens_of(events_of(subject, Asked(PROMPT)))
    assert len(tokens) == len(response) + 1
    for i, layer in enumerate(subject.live.layers):
        expected = subject.probes.read(layer, X[layer])["topic"]
        assert np.allclose([token["readings"][i][0] for token in tokens], expected, atol=2e-3)
    words = subject.probes.read_words(row["prompt_tokens"], response)["topic"]
    assert np.allclose([token["words"][0] for token in tokens], words, atol=2e-3)


def test_words_are_updated_as_if_they_were_read_anew(subject: Subject):
    probe = subject.probes.words["topic"]
    tokens = [20, 21, 20, 20, 999, 22]
    live = LiveWords([probe], [5, 6])
    seen = [live.read()[0]]
    for token in tokens:
        live.add(token)
        seen.append(live.read()[0])
    assert np.allclose(seen, probe.read_along([5, 6], tokens))


def test_two_answers_are_those_of_the_two_conditions(subject: Subject):
    switches = Switches(ablate=("topic",), steer="topic", strength=4.0)
    conditions = {"intact": [], "changed": subject.interventions(switches)}
    config = GenerationConfig.of(subject.run_settings, temperature=0.0)
    plain = generate_conditions(subject.model, [PROMPT], config, conditions)["response"].tolist()
    events = events_of(subject, Asked(PROMPT, switches))
    assert events[0]["answers"] == ["intact", "changed"]
    assert [each["text"] for each in events[-1]["answers"]] == plain
    assert plain[0] != plain[1]


def test_a_random_control_changes_something_else(subject: Subject):
    control = subject.interventions(Switches(control="gaussian"))
    removal = subject.interventions(Switches(ablate=("topic",)))
    assert len(control) == len(removal) == len(subject.live.layers) - 2  # from block 1 up
    assert repr(control) != repr(removal)


def test_the_verdict_runs_along_where_the_prompt_has_a_constraint(subject: Subject):
    events = events_of(subject, Asked("the river. Keep it to exactly 12 words."))
    assert (events[0]["task"], events[0]["parameters"]) == ("word_count", {"n": 12})
    verdict = events[-1]["answers"][0]["verdict"]
    assert verdict["label"] == "violated"
    assert "asked for 12" in verdict["reason"]
    told = [event["verdicts"][0] for event in events if event["event"] == "tokens"]
    assert told[-1] == verdict


def test_sampling_follows_the_seed(subject: Subject):
    def text(seed: int) -> str:
        return events_of(subject, Asked(PROMPT, temperature=1.0, seed=seed))[-1]["answers"][0]["text"]

    assert text(3) == text(3)
    assert len({text(seed) for seed in range(5)}) > 1


def test_an_ended_pace_ends_the_answer_early(subject: Subject):
    pace = Pace()
    for _ in range(3):
        pace.order("step")
    events = answer(subject, Asked(PROMPT), pace=pace)
    seen = [next(events)]
    while len(tokens_of(seen)) < 1 + 3:
        seen.append(next(events))
    pace.end("somebody else waited")
    seen += events
    assert (seen[-1]["stopped"], seen[-1]["why"]) == (True, "somebody else waited")
    assert len(tokens_of(seen)) == 1 + 3


def test_a_held_answer_is_written_a_token_a_step(subject: Subject):
    """The model waits: nothing is computed until the next order, and what is known has been told."""
    pace, told = Pace(), queue.Queue[dict[str, Any]]()
    pace.order("hold")
    passes = 0

    def count(*_: Any, **__: Any) -> None:
        nonlocal passes
        passes += 1

    def write() -> None:
        with subject.model.bridge.hooks(fwd_hooks=[("blocks.0.hook_out", count)]):
            for event in answer(subject, Asked(PROMPT), pace=pace):
                told.put(event)

    thread = threading.Thread(target=write)
    thread.start()
    assert told.get(timeout=20)["event"] == "start"
    seen = [told.get(timeout=20)]  # what is read at the prompt's end
    before = passes
    for step in (1, 2):
        pace.order("step")
        seen.append(told.get(timeout=20))
        assert len(seen[-1]["rows"][0]) == 1
        assert "readings" in seen[-1]["rows"][0][0]
        assert passes == before + step
    assert told.empty()
    pace.order("go")
    thread.join(20)
    while not told.empty():
        seen.append(told.get())
    assert seen[-1]["event"] == "end"
    whole = events_of(subject, Asked(PROMPT))
    assert [t["text"] for t in tokens_of(seen)] == [t["text"] for t in tokens_of(whole)]


def test_no_hook_is_left_behind(subject: Subject):
    def hooks() -> int:
        return sum(len(point.fwd_hooks) for point in subject.model.bridge.hook_dict.values())

    before = hooks()
    events = answer(subject, Asked(PROMPT, Switches(ablate=("topic",))))
    next(events)
    next(events)
    events.close()
    assert hooks() == before


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("text", "JSON object"),
        ({"prompt": "  "}, "the prompt is empty"),
        ({"prompt": "a", "switches": {"ablate": ["rhyme"]}}, "fitted for 'rhyme'; the study has topic"),
        ({"prompt": "a", "switches": {"control": "magic"}}, "expected one of gaussian"),
        ({"prompt": "a", "switches": {"steer": "topic", "strength": 1e9}}, "strength is 1000000000.0"),
        ({"prompt": "a", "temperature": -1}, "temperature is -1"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_says_why(given: object, match: str):
    with pytest.raises(InputError, match=match):
        Asked.from_json(given, tasks=["topic"])


def test_a_saved_answer_is_read_back(subject: Subject, tmp_path: Path):
    events = events_of(subject, Asked(PROMPT, Switches(ablate=("topic",))))
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"format": 1, **subject.to_json(), "events": events}))
    saved = read_saved(path)
    assert (saved.prompt, saved.tasks, saved.layers) == (PROMPT, ("topic",), subject.live.layers)
    assert [each.name for each in saved.answers] == ["intact", "changed"]
    first = saved.answers[0]
    assert first.text == events[-1]["answers"][0]["text"]
    assert first.readings.shape == (len(first.tokens), len(saved.layers), 1)
    assert np.isfinite(first.readings).all()
    path.write_text("{}")
    with pytest.raises(InputError, match="no answer that the monitor saved"):
        read_saved(path)
