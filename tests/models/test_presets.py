import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models import loading, places
from if_circuits.models.chat import has_system_role
from if_circuits.models.presets import ModelPreset, find_preset, presets, register_preset
from if_circuits.models.settings import RunSettings

PRESETS = [presets.get(name) for name in presets.built_in()]


def test_presets_are_found_by_their_own_name_and_by_their_hub_name() -> None:
    assert find_preset("gemma-2-2b") is find_preset("google/gemma-2-2b-it")
    assert find_preset("no-such-model") is None


def test_names_and_sources_are_unique() -> None:
    assert (
        len({preset.name for preset in PRESETS}) == len({preset.source for preset in PRESETS}) == len(PRESETS)
    )


def test_only_bundled_models_were_trained_on_this_librarys_prompts() -> None:
    kinds = ("universal", "compositional", "clustered", "monitoring")
    bundled = ["if-tiny", *(f"if-tiny-{kind}" for kind in kinds)]
    assert [preset.name for preset in PRESETS if preset.held_out_only] == bundled
    assert [preset.name for preset in PRESETS if preset.bundled] == bundled


def test_only_bundled_models_are_asked_the_controlled_suite_and_sampled_as_they_are() -> None:
    for each in PRESETS:
        assert each.suite == ("controlled" if each.bundled else "open"), each.name
        if each.bundled:
            assert (each.temperature, each.top_p) == (1.0, 1.0)


def test_the_layers_of_a_preset_reach_from_embed_to_the_last_block() -> None:
    for each in PRESETS:
        blocks = re.search(r"(\d+) blocks", each.description)
        assert each.bundled or blocks is not None, each.name
        if each.layers is not None and blocks is not None:
            assert (each.layers[0], each.layers[-1]) == (-1, int(blocks[1]) - 1), each.name


@pytest.mark.parametrize(
    ("advised", "preset", "sampling"),
    [
        ({"temperature": 0.7, "top_p": 0.8}, {}, (0.7, 0.8)),
        ({"temperature": 0.7, "top_p": 0.8}, {"temperature": 0.3}, (0.3, 0.8)),
        ({}, {}, (1.0, 1.0)),
    ],
)
def test_sampling_is_the_presets_then_the_checkpoints(
    checkpoint: Callable[[str], Path],
    tmp_path: Path,
    advised: dict[str, float],
    preset: dict[str, float],
    sampling: tuple[float, float],
) -> None:
    directory = Path(shutil.copytree(checkpoint("llama"), tmp_path / "model"))
    config = json.loads((directory / "generation_config.json").read_text())
    config |= {"do_sample": bool(advised), **advised}
    (directory / "generation_config.json").write_text(json.dumps(config))
    register_preset(ModelPreset("advised", str(directory), description="", **preset))
    usual = RunSettings.of(loading.load_model("advised").preset)
    assert (usual.temperature, usual.top_p) == sampling
    given = RunSettings.of(loading.load_model("advised").preset, temperature=0.9, top_p=0.5)
    assert (given.temperature, given.top_p) == (0.9, 0.5)


def test_listing_presets_imports_no_heavy_library() -> None:
    code = (
        "import sys, if_circuits.models.presets; print([m for m in ('torch', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "architecture", "n_blocks"),
    [("qwen2.5-0.5b", "qwen2", 24), ("gemma-2-2b", "gemma2", 26), ("llama-3.1-8b", "llama", 32)],
)
def test_a_preset_of_the_paper_runs_its_architecture(
    checkpoint: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    architecture: str,
    n_blocks: int,
) -> None:
    """The hub's weights in place of which a small checkpoint of the same architecture stands."""
    preset = find_preset(name)
    assert preset is not None and f"{n_blocks} blocks" in preset.description
    assert preset.layers is None or preset.layers[0] == -1 and preset.layers[-1] == n_blocks - 1
    local = replace(preset, source=str(checkpoint(architecture)))
    for module in (loading, places):
        monkeypatch.setattr(module, "find_preset", lambda _: local)
    model = loading.load_model(name)
    assert model.preset is local
    assert model.dtype == preset.dtype
    # What the preset says of the template is so.
    assert model.chat.system_role == has_system_role(model.chat.tokenizer)
    prompts = pd.DataFrame({"prompt_id": ["a"], "prompt": ["Write about the river."]})
    config = GenerationConfig(max_new_tokens=preset.max_new_tokens, batch_size=preset.batch_size)
    assert 0 < generate(model, prompts, config)["n_tokens"].iloc[0] <= preset.max_new_tokens
