from dataclasses import replace

import pytest

from if_circuits.models.presets import IF_TINY, ModelPreset
from if_circuits.models.settings import RunSettings

PRESET = replace(IF_TINY, layers=(-1, 2))


def test_what_is_not_given_is_the_preset_s() -> None:
    usual = RunSettings.of(PRESET)
    for name in ("max_new_tokens", "temperature", "top_p", "batch_size", "layers", "judges"):
        assert getattr(usual, name) == getattr(PRESET, name)


def test_sampling_that_nobody_chose_leaves_the_models_distribution_as_it_is() -> None:
    plain = RunSettings.of(ModelPreset("plain", "plain", description=""))
    assert (plain.temperature, plain.top_p) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_new_tokens", 12), ("batch_size", 3), ("layers", (4,)), ("temperature", 0.5), ("top_p", 0.9)],
)
def test_what_is_given_takes_the_place_of_the_preset_s(name: str, value: object) -> None:
    made = RunSettings.of(PRESET, **{name: value})  # type: ignore[arg-type]
    assert made == replace(RunSettings.of(PRESET), **{name: value})


def test_judges_are_replaced_one_by_one() -> None:
    made = RunSettings.of(PRESET, judges=[("sentiment", "opinion-terms"), ("topic", "hf:x")])
    assert dict(made.judges) == {
        "sentiment": "opinion-terms",
        "toxicity": "insult-lexicon",
        "topic": "hf:x",
    }


@pytest.mark.parametrize("preset", [PRESET, ModelPreset("plain", "plain", description="")])
def test_settings_come_back_from_json(preset: ModelPreset) -> None:
    made = RunSettings.of(preset, max_new_tokens=7)
    assert RunSettings.from_json(made.to_json()) == made
