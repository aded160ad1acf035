import subprocess
import sys

from if_circuits.models.presets import find_preset, presets

PRESETS = [presets.get(name) for name in presets.built_in()]


def test_presets_are_found_by_their_own_name_and_by_their_hub_name() -> None:
    assert find_preset("gemma-2-2b") is find_preset("google/gemma-2-2b-it")
    assert find_preset("no-such-model") is None


def test_names_and_sources_are_unique() -> None:
    assert (
        len({preset.name for preset in PRESETS}) == len({preset.source for preset in PRESETS}) == len(PRESETS)
    )


def test_only_the_bundled_model_was_trained_on_this_librarys_prompts() -> None:
    assert [preset.name for preset in PRESETS if preset.held_out_only] == ["if-tiny"]
    assert [preset.name for preset in PRESETS if preset.bundled] == ["if-tiny"]


def test_listing_presets_imports_no_heavy_library() -> None:
    code = (
        "import sys, if_circuits.models.presets; print([m for m in ('torch', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
