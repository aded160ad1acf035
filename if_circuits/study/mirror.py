"""A mirror: the folder of this machine in which a study that lies at a URL is worked on.

It looks like any study's directory. Beside the study's files lies a note of the URL, of the objects there,
and of which files here are the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from if_circuits.errors import InputError
from if_circuits.io.files import write_json
from if_circuits.io.remote import Listed, Remote

NOTE = ".mirror.json"
FETCHED = ".fetched"
"""The folder of the ranges of activations that were read, one folder a capture in it."""
OWN_FILES = frozenset({NOTE, f".{NOTE}.partial", FETCHED})
"""What lies in a mirror and belongs to no study."""


@dataclass(frozen=True)
class Held:
    """A file here that is the same as its object, by what tells that it was not touched since."""

    size: int
    modified: int
    """Nanoseconds."""

    @classmethod
    def of(cls, path: Path) -> Held:
        facts = path.stat()
        return cls(facts.st_size, facts.st_mtime_ns)


@dataclass(frozen=True)
class Mirror:
    """The mirror of a URL, and what it knew of it when it last looked."""

    root: Path
    remote: Remote
    """The objects of the study."""
    there: Mapping[str, Listed] = field(default_factory=dict[str, Listed])
    """The objects of the study, by name."""
    hashes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the record there says of those that it names."""
    held: Mapping[str, Held] = field(default_factory=dict[str, Held])
    """The files here that are the same as their objects."""
    token: str = ""
    """Of the last claim to the URL that was made from here."""

    @classmethod
    def of(cls, url: str) -> Mirror:
        """The mirror of a URL in the user's cache, made if need be."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        name = url.rpartition("/")[2]
        root = cache / "if_circuits" / "mirrors" / sha256(url.encode()).hexdigest()[:16] / name
        found = cls.at(root)
        if found is None:
            found = cls(root, Remote(url))
            found.save()
        return found

    @classmethod
    def at(cls, root: Path) -> Mirror | None:
        """The mirror in a folder; None where the folder is no mirror."""
        path = root / NOTE
        try:
            facts = path.stat()
        except OSError:
            return None
        url, there, hashes, held, token = _noted(path, facts.st_mtime_ns, facts.st_ino)
        return cls(root, Remote(url), there, hashes, held, token)

    def save(self) -> None:
        """Write the note. Raises InputError where the cache cannot be written."""
        note = {
            "url": self.url,
            "there": {name: asdict(listed) for name, listed in self.there.items()},
            "hashes": dict(self.hashes),
            "held": {name: asdict(held) for name, held in self.held.items()},
            "token": self.token,
        }
        try:
            write_json(self.root / NOTE, note)
        except OSError as error:
            raise InputError(
                f"cannot write a mirror of {self.url} to {self.root}: {error.strerror}; XDG_CACHE_HOME says "
                "where mirrors lie"
            ) from error

    @property
    def url(self) -> str:
        """Where the study lies."""
        return self.remote.url

    def files(self) -> Iterator[tuple[str, Path]]:
        """The study's files that lie here, by name; none that is being written."""
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if is_visible(name) and path.is_file():
                yield name, path

    def untouched(self, name: str) -> bool:
        """Whether the file here is the same as its object was when this mirror last looked."""
        path = self.root / name
        return name in self.held and path.is_file() and Held.of(path) == self.held[name]

    def lies_there(self, name: str, sha256: str | None) -> bool:
        """Whether the object has this content, by the record there."""
        return sha256 is not None and name in self.there and self.hashes.get(name) == sha256

    def holding(self, *names: str) -> Mirror:
        """The same, with these files known to be their objects."""
        return replace(self, held={**self.held, **{name: Held.of(self.root / name) for name in names}})


@lru_cache(maxsize=4)
def _noted(
    path: Path, modified: int, inode: int
) -> tuple[str, dict[str, Listed], dict[str, str], dict[str, Held], str]:
    """What a note says; read once, since each file of a stage asks for it."""
    del modified, inode  # a part of the cache's key
    try:
        note: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return (
            note["url"],
            {name: Listed(**facts) for name, facts in note["there"].items()},
            note["hashes"],
            {name: Held(**facts) for name, facts in note["held"].items()},
            note["token"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged ({error}): remove {path.parent}, and it is fetched again from its URL"
        ) from error


def is_visible(name: str) -> bool:
    """Whether an object or a file is of the study: names with a dot are locks, notes and unfinished files.

    No name that leads out of the study's folder is.
    """
    return all(part and not part.startswith(".") for part in name.split("/"))


def place_name(root: Path) -> str:
    """What a user calls the study in a folder: its URL where it is a mirror."""
    mirror = Mirror.at(root)
    return str(root) if mirror is None else mirror.url


def lies_at_url(root: Path, name: str, sha256: str) -> bool:
    """Whether a file that is not in a study's folder is to be had from its URL, with this content."""
    mirror = Mirror.at(root)
    return mirror is not None and mirror.lies_there(name, sha256)


def bytes_at_url(root: Path) -> int:
    """Bytes of the objects at the URL of a mirror that do not lie here; 0 for any other folder."""
    mirror = Mirror.at(root)
    if mirror is None:
        return 0
    return sum(each.size for name, each in mirror.there.items() if not (root / name).is_file())
