"""Where a study lies: a folder of this machine, or a URL with its mirror. Here a URL comes in."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from if_circuits.io.remote import Remote, path_of, url_of
from if_circuits.study.exchange import fetch, pull
from if_circuits.study.lock import LOCK
from if_circuits.study.mirror import Mirror, is_visible


def open_place(place: str | Path, *, to_write: bool = False) -> Path:
    """The folder of a study: the path that was given, or the mirror of a URL, with what lies at the URL.

    A mirror in which a process of this machine is at work is left as it is. Raises InputError where the URL
    cannot be read, or holds something else; and, unless it is opened `to_write`, a damaged study.
    """
    url = url_of(place)
    if url is None:
        return path_of(place)
    root = Mirror.of(url).root
    with suppress(Timeout), FileLock(root / LOCK, timeout=0):
        pull(Mirror.of(url), to_write=to_write)
    return root


@contextmanager
def whole_copy(place: str | Path) -> Generator[Path]:
    """A study with all of its files, as they lie at its URL now; of a path, the study itself."""
    url = url_of(place)
    if url is None:
        yield path_of(place)
        return
    beside = Mirror.of(url).root.parent
    with TemporaryDirectory(dir=beside, prefix="whole-") as folder:
        copy = Mirror(Path(folder) / Mirror.of(url).root.name, Remote(url))
        there = {name: listed for name, listed in copy.remote.listing().items() if is_visible(name)}
        copy.save()
        fetch(replace(copy, there=there), list(there))
        yield copy.root
