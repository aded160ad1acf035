"""The activations of a study: on this machine, or at its URL and fetched from there as they are read."""

from __future__ import annotations

from pathlib import Path

from if_circuits.activations.captured import Store
from if_circuits.activations.manifest import MANIFEST_FILE
from if_circuits.activations.ranged import RangedStore
from if_circuits.activations.store import ActivationStore
from if_circuits.io.digest import file_sha256
from if_circuits.io.remote import Remote
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.mirror import FETCHED, Mirror


def open_store(path: Path, directory: StudyDirectory) -> Store:
    """A capture of the study, in its folder `path`. Raises InputError as `ActivationStore.open` does."""
    store, mirror = ActivationStore.open(path), Mirror.at(directory.root)
    if mirror is None or all(file.is_file() for file in store.files):
        return store
    capture = file_sha256(path / MANIFEST_FILE)
    listed = {
        name: mirror.there[f"{path.name}/{name}"]
        for name in (shard.file for shard in store.manifest.shards)
        if f"{path.name}/{name}" in mirror.there
    }
    folder = directory.root / FETCHED / path.name / capture[:16]
    return RangedStore(store, Remote(f"{mirror.url}/{path.name}"), listed, folder)
