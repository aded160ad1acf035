"""A study on paper: its counts are those of the study itself, and its times follow from rates alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from transformers import Gemma2Config, LlamaConfig, PretrainedConfig, Qwen2Config

from if_circuits.cli import main
from if_circuits.errors import InputError
from if_circuits.generation.sampling import sampled
from if_circuits.models import loading
from if_circuits.models.places import locate
from if_circuits.models.presets import find_preset
from if_circuits.models.settings import RunSettings
from if_circuits.study import Study, StudyConfig
from if_circuits.study.forecast.forecast import Forecast, forecast
from if_circuits.study.forecast.machine import GPUS, find_machine, probe_flops, probe_seconds
from if_circuits.study.forecast.size import PUBLISHED, find_size, size_of
from if_circuits.study.forecast.work import Lengths, Work, work_of

LENGTHS = Lengths(prompt=65, answer=58, longest=128)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A small study of the embedded model, as far as its activations."""
    config = StudyConfig(
        "if-tiny",
        tasks=("json_format", "register"),
        n_base_queries=3,
        prompts_per_query=2,
        max_new_tokens=8,
        layers=(-1, 2, 5),
        analyses=(),
    )
    return Study.run(config, tmp_path_factory.mktemp("study") / "small")


def planned(study: Study, lengths: Lengths) -> dict[str, Work]:
    work = work_of(study.config, find_size("if-tiny"), study.run_settings, lengths)
    return {each.stage: each for each in work}


def test_answers_and_tokens_are_those_that_the_study_holds(study: Study) -> None:
    responses = study.responses
    greedy = ~responses["response_id"].isin(sampled(responses)["response_id"])
    constrained = responses["constrained"].astype(bool)
    of_pass = {
        "constrained": constrained & ~greedy,
        "unconstrained": ~constrained & ~greedy,
        "greedy": greedy,
    }
    for name, chosen in of_pass.items():
        rows = responses[chosen]
        prompts = rows.drop_duplicates("prompt_id")["prompt_tokens"].map(len)
        written = rows["response_tokens"].map(len)
        work = planned(study, Lengths(prompts.mean(), written.mean(), 8))[f"responses.{name}"]
        assert sum(each.n for each in work.answers) == len(rows)
        assert work.tokens(Lengths(prompts.mean(), written.mean(), 8)) == prompts.sum() + written.sum()


def test_readings_and_bytes_are_those_of_the_store(study: Study) -> None:
    rows = sampled(study.responses)
    lengths = Lengths(rows["prompt_tokens"].map(len).mean(), rows["response_tokens"].map(len).mean(), 8)
    work = planned(study, lengths)["activations"]
    assert [each.n for each in work.readings] == [len(rows)]
    assert work.tokens(lengths) == (rows["prompt_tokens"].map(len) + rows["response_tokens"].map(len)).sum()
    assert work.bytes == stored_bytes(study.directory.activations)


def stored_bytes(store: Path) -> int:
    """Of all tensors of a store, without the headers of its files."""
    total = 0
    for path in store.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as shard:
            total += sum(shard.get_tensor(name).nbytes for name in shard.keys())  # noqa: SIM118
    return total


def test_the_embedded_models_size_is_that_of_its_weights() -> None:
    size = find_size("if-tiny")
    with safe_open(Path(locate("if-tiny").source) / "model.safetensors", framework="numpy") as weights:
        held = sum(weights.get_tensor(name).size for name in weights.keys())  # noqa: SIM118
    assert (size.parameters, size.n_layers, size.d_model, size.tied) == (held, 6, 128, True)


LLAMA: dict[str, Any] = {"vocab_size": 128_256, "num_key_value_heads": 8, "tie_word_embeddings": False}
CONFIGURATIONS: dict[str, Callable[[], PretrainedConfig]] = {
    "llama-3.1-8b": lambda: LlamaConfig(
        hidden_size=4096, intermediate_size=14_336, num_hidden_layers=32, num_attention_heads=32, **LLAMA
    ),
    "llama-3.1-70b": lambda: LlamaConfig(
        hidden_size=8192, intermediate_size=28_672, num_hidden_layers=80, num_attention_heads=64, **LLAMA
    ),
    "gemma-2-2b": lambda: Gemma2Config(
        hidden_size=2304,
        intermediate_size=9216,
        num_hidden_layers=26,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=256,
        vocab_size=256_000,
    ),
    "qwen2.5-0.5b": lambda: Qwen2Config(
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        vocab_size=151_936,
        tie_word_embeddings=True,
    ),
    "smollm2-135m": lambda: LlamaConfig(
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=49_152,
        tie_word_embeddings=True,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_size_is_what_transformers_counts(name: str) -> None:
    assert size_of(CONFIGURATIONS[name](), name=name) == PUBLISHED[name]


def on_paper(model: str = "llama-3.1-8b", *, gpus: int = 1, workers: int = 1, **rates: float) -> Forecast:
    preset = find_preset("llama-3.1-8b")
    assert preset is not None
    return forecast(
        StudyConfig("llama-3.1-8b", n_base_queries=250, prompts_per_query=4),
        find_size(model),
        RunSettings.of(preset),
        find_machine("h100", "bfloat16", **rates),
        gpus=gpus,
        dtype="bfloat16",
        lengths=LENGTHS,
        workers=workers,
    )


def test_twice_the_gpus_halve_what_the_model_takes_and_not_the_probes() -> None:
    one, two = on_paper(), on_paper(gpus=2)
    for before, after in zip(one.stages, two.stages, strict=True):
        share = 1 if before.stage == "probes" else 2
        assert after.hours == pytest.approx(before.hours / share)
        assert after.dollars == pytest.approx(before.dollars * 2 / share)
        assert replace(after, hours=0, dollars=0) == replace(before, hours=0, dollars=0)


def test_workers_share_the_probes_and_nothing_else() -> None:
    one, four = on_paper(), on_paper(workers=4)
    for before, after in zip(one.stages, four.stages, strict=True):
        assert after.hours == pytest.approx(before.hours / (4 if before.stage == "probes" else 1))
    assert any("4 workers" in line for line in four.assumes)


def test_a_model_that_no_gpu_holds_takes_several_for_a_copy() -> None:
    short, enough = on_paper("llama-3.1-70b"), on_paper("llama-3.1-70b", gpus=2)
    assert (short.fits, short.gpus_per_copy, enough.fits) == (False, 2, True)
    assert short.stages == enough.stages
    assert on_paper("llama-3.1-70b", gpus=3).total.hours == pytest.approx(enough.total.hours)


def test_rates_decide_the_time_of_what_they_bound() -> None:
    usual, slower = on_paper(probe_rate=3.2e10), on_paper(probe_rate=1.6e10, block_seconds=1.64e-3)
    hours = {each.stage: each.hours for each in usual.stages}
    for each in slower.stages:
        if each.stage == "probes" or each.stage.startswith("responses."):  # which wait for calls
            assert each.hours == pytest.approx(2 * hours[each.stage])
    quick = on_paper(block_seconds=1e-9, bandwidth=1e18, matrix_rate=1e12)
    flops = 2 * PUBLISHED["llama-3.1-8b"].block_parameters
    read = next(each for each in quick.stages if each.stage == "activations")
    # Matrix products of the blocks and attention to as many tokens as a text has, at 1 TFLOP/s.
    attention = 4 * LENGTHS.both * 4096 * 32
    assert 3600 * read.hours == pytest.approx(read.tokens * (flops + attention) / 1e12)


def test_small_probes_reach_less_than_large_ones() -> None:
    machine = find_machine("h200", "float32")
    rates = [
        probe_flops(n, d) / probe_seconds(machine, n, d)
        for n, d in ((120, 576), (1000, 2304), (20_000, 8192))
    ]
    assert 15 * rates[0] < 1.5 * rates[1] < rates[2]
    given = find_machine("h200", "float32", probe_rate=1e9)
    assert probe_seconds(given, 120, 576) == probe_flops(120, 576) / 1e9


def test_what_is_not_known_is_refused_with_what_is() -> None:
    with pytest.raises(InputError, match=", ".join(PUBLISHED)):
        find_size("someone/unheard-of")
    with pytest.raises(InputError, match=f"'b900'.*{', '.join(GPUS)}"):
        find_machine("b900", "bfloat16")


def test_the_command_needs_no_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(loading, "load_model", refuse)
    monkeypatch.setattr(loading, "_boot", refuse)
    ask = ["plan", "Llama-3.1-70B", "--gpus", "4", "--layers", "-1", "79", "--dollars-per-hour", "2"]
    assert main.main([*ask, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total"]["dollars"] == pytest.approx(8 * found["total"]["hours"])
    assert found["total"]["bytes"] == sum(each["bytes"] for each in found["stages"])
    assert main.main(ask) == 0
    shown = capsys.readouterr().out
    assert f"{found['total']['hours']:,.2f}" in shown  # more than one
    assert "2 x h100 hold a copy" in shown
    assert main.main(["plan", "if-tiny", "--gpu", "b900"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
