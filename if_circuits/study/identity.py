"""What makes a study this one, and has to be the same when it goes on: its model, and how that is run."""

from dataclasses import replace
from pathlib import Path
from typing import cast

from if_circuits.activations.dtypes import StoredDtype, stored_dtype
from if_circuits.activations.teacher_forcing import usual_reading_size
from if_circuits.errors import InputError
from if_circuits.generation.batch_size import longest_prompt, usual_batch_size
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.models.presets import DType
from if_circuits.models.settings import RunSettings
from if_circuits.study.config import StudyConfig, suite_of
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import task_names
from if_circuits.study.prompting import prompts_of
from if_circuits.study.versions import versions
from if_circuits.tasks.judges.choice import judge_names, usual_judges
from if_circuits.tasks.verification import judged_properties


def study_at(out: Path, config: StudyConfig) -> StudyDirectory | None:
    """The study of this configuration at `out`; None where one can begin.

    Raises InputError when another study has work there.
    """
    directory = StudyDirectory.find(out)
    if directory is None:
        return None
    # Another precision of what is stored makes no other study: the activations are captured again.
    asked = replace(config, store_dtype=directory.config.store_dtype)
    if not (differences := directory.config.differences(asked)):
        return directory
    if directory.holds_work():
        raise InputError(
            f"{directory.place} holds another study ({'; '.join(differences)}); "
            "choose another directory, or the same options"
        )
    return None


def model_of(config: StudyConfig) -> LoadedModel:
    """The model that the configuration names."""
    return load_model(
        config.model,
        device=config.device,
        dtype=cast(DType | None, config.dtype),
        device_map=config.device_map,
    )


def run_settings_of(
    config: StudyConfig, model: LoadedModel, before: RunSettings | None = None
) -> RunSettings:
    """How the study runs its model. Unless the configuration names a size, batches are as large as they were
    `before`, and in a new study as the free memory allows.

    Raises InputError for layers that the model lacks.
    """
    made = RunSettings.of(
        model.preset,
        max_new_tokens=config.max_new_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        batch_size=config.batch_size,
        layers=config.layers,
        judges=_judges(config, model),
    )
    unknown = [layer for layer in made.layers or () if not -1 <= layer < model.n_layers]
    if unknown:
        raise InputError(
            f"{config.model} has no layer {unknown[0]}; layers go from -1 (embed) to {model.n_layers - 1}"
        )
    if config.batch_size is not None:
        return made
    return replace(made, batch_size=before.batch_size if before else _batch_size(config, model, made))


def _batch_size(config: StudyConfig, model: LoadedModel, run_settings: RunSettings) -> int:
    """What is written side by side, and read side by side, with the longest prompt."""
    prompt = longest_prompt(model, map(str, prompts_of(config, model)["prompt"]))
    new, layers = run_settings.max_new_tokens, run_settings.layers
    n_layers = model.n_layers + 1 if layers is None else len(layers)
    return min(
        usual_batch_size(model, prompt=prompt, new=new),
        usual_reading_size(model, length=prompt + new, n_layers=n_layers),
    )


def store_dtype_of(config: StudyConfig, model: LoadedModel, before: StudyConfig | None) -> StoredDtype:
    """The type of the stored activations: what is asked for, else as `before`."""
    asked = config.store_dtype or (before and before.store_dtype) or "float32"
    return stored_dtype(asked, of_model=model.dtype)


def _judges(config: StudyConfig, model: LoadedModel) -> tuple[tuple[str, str], ...]:
    suite = suite_of(config) if config.prompts is None else None
    properties = judged_properties(task_names(config))
    return usual_judges(model.preset, properties, chosen=config.judges, suite=suite)


def record_of(config: StudyConfig, model: LoadedModel, run_settings: RunSettings) -> dict[str, object]:
    """The record that a study begins with."""
    return {
        "config": config.to_json(),
        "seed": config.seed,
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "n_layers": model.n_layers,
            "d_model": model.d_model,
            "device": model.device,
            "device_map": model.device_map,
            "dtype": model.dtype,
            "dequantised_from": model.dequantised_from,
        },
        "run_settings": run_settings.to_json(),
        "held_out_only": model.preset.held_out_only,
        "judges": judge_names(judged_properties(task_names(config)), run_settings.judges),
        "versions": versions(config),
    }


def check_model(directory: StudyDirectory, model: LoadedModel) -> None:
    """Raise InputError for other weights, or another tokenizer, than the study was begun with."""
    recorded = directory.ledger.read()["model"]["fingerprint"]
    if model.fingerprint != recorded:
        raise InputError(
            f"{directory.place} was made with other weights or another tokenizer of {model.name} "
            f"(fingerprint {recorded[:12]}, now {model.fingerprint[:12]}); choose another directory"
        )


def keep_settings(directory: StudyDirectory, config: StudyConfig, run_settings: RunSettings) -> None:
    """Record how the study goes on: its batches and the type of its activations may be others than before.

    Raises InputError where preset and options say otherwise of anything else.
    """
    recorded = directory.run_settings
    if replace(recorded, batch_size=run_settings.batch_size) != run_settings:
        raise InputError(
            f"{directory.place} was made with {recorded}, and the preset and the options now say "
            f"{run_settings}; choose another directory, or the same settings"
        )
    record = directory.ledger.read()
    directory.ledger.update(
        config={**record["config"], "store_dtype": config.store_dtype},
        run_settings={**record["run_settings"], "batch_size": run_settings.batch_size},
    )
