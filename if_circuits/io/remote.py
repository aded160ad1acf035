"""Objects below a URL. The one module that knows of fsspec, and by it of S3 and Google Cloud Storage."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from if_circuits.errors import InputError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://")
_COLLAPSED = re.compile(r"[a-z][a-z0-9+.-]+:/[^/]")
_OWN_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "mtime", "created")
"""What file systems say of an object that changes with its content; the first that there is counts."""


def url_of(place: str | Path) -> str | None:
    """The URL that a place is, without a slash at its end; None where it is a path of this machine.

    Raises InputError for a URL that was made a `Path`, which loses one of its slashes.
    """
    if isinstance(place, Path) or not _SCHEME.match(place):
        if isinstance(place, Path) and _COLLAPSED.match(str(place)):
            raise InputError(
                f"{place} looks like a URL made a Path; give it as text, such as 's3://bucket/x'"
            )
        return None
    return None if place.startswith("file://") else place.rstrip("/")


def path_of(place: str | Path) -> Path:
    """The path that a place of this machine is, also where it is given as file://."""
    return Path(place.removeprefix("file://")) if isinstance(place, str) else place


@dataclass(frozen=True)
class Listed:
    """An object as a listing tells of it."""

    size: int
    version: str
    """Differs once the content does."""


@dataclass(frozen=True)
class Remote:
    """The objects below a URL, by their names relative to it.

    Every method raises InputError, which names the URL, where the store cannot be reached or refuses.
    """

    url: str

    def __reduce__(self) -> tuple[type[Remote], tuple[str]]:
        # Another process makes a connection of its own.
        return Remote, (self.url,)

    def listing(self) -> dict[str, Listed]:
        """All objects; none where nothing lies there. A bucket must exist."""
        with self._asking("be listed"):
            fs, root = self._opened
            fs.invalidate_cache()
            found: dict[str, dict[str, Any]] = fs.find(root, detail=True)
            names = {name: name[len(root) + 1 :] for name in found}
            return {names[name]: _listed(info) for name, info in found.items() if names[name]}

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none."""
        with self._asking("be read"), suppress(FileNotFoundError):
            return bytes(self._fs.cat_file(self._at(name)))
        return None

    def ranges(self, wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """The bytes from a place to another of each object."""
        with self._asking("be read"):
            names, starts, ends = zip(*wanted, strict=True)
            places = [self._at(name) for name in names]
            found = self._fs.cat_ranges(places, list(starts), list(ends), on_error="raise")
            return [bytes(each) for each in found]

    def create(self, name: str, content: bytes) -> bool:
        """Write an object where there is none; False where there is one."""
        with self._asking("be written"):
            try:
                self._fs.pipe_file(self._at(name), content, mode="create")
            except FileExistsError:
                return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Write or replace an object."""
        with self._asking("be written"):
            self._fs.pipe_file(self._at(name), content)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Write or replace objects, each with the content of a file."""
        with self._asking("be written"):
            self._fs.put([str(path) for path in files.values()], [self._at(name) for name in files])

    def download(self, files: Mapping[str, Path]) -> None:
        """Write each object's content to a file, whose folder must be there."""
        with self._asking("be read"):
            self._fs.get([self._at(name) for name in files], [str(path) for path in files.values()])

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects; one that is gone already is no fault."""
        with self._asking("be written"):
            for name in names:
                with suppress(FileNotFoundError):
                    self._fs.rm_file(self._at(name))

    @property
    def _fs(self) -> Any:
        return self._opened[0]

    def _at(self, name: str) -> str:
        return f"{self._opened[1]}/{name}"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        scheme = self.url.partition("://")[0]
        try:
            from fsspec.core import url_to_fs

            fs, root = url_to_fs(self.url)
        except ImportError as error:
            raise InputError(
                f"{self.url} needs {error.name or 'a package'} that is not installed ({error}): "
                "pip install 'if-circuits[remote]' for s3://, or gcsfs for gs://"
            ) from error
        except ValueError as error:
            raise InputError(
                f"{self.url} cannot be opened: {scheme}:// is no store that fsspec knows"
            ) from error
        if not root.strip("/"):
            raise InputError(f"{self.url} names no place; expected such as s3://bucket/runs/x")
        return fs, root.rstrip("/")

    @contextmanager
    def _asking(self, what: str) -> Generator[None]:
        """Say of whatever a store's client raises, of whatever class, which URL it was about."""
        try:
            self._opened
            yield
        except InputError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _OWN_DISK:
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{self.url} cannot {what} ({reason}); check the URL, the credentials and the network"
            ) from error


def _listed(info: Mapping[str, Any]) -> Listed:
    version = next((str(info[name]) for name in _VERSIONS if info.get(name) is not None), "")
    return Listed(int(info["size"]), version)
