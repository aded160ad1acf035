"""Files that are either whole or not there, whatever interrupts the process that writes them."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def durable_file(path: Path) -> Generator[Path]:
    """Yield a path beside `path` to write to; on success flush it to the disk and rename it to `path`.

    When the block raises, `path` stays as it was and the unfinished file is removed. A killed process
    leaves at most the unfinished file, which the next attempt overwrites.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace the file's content, durably."""
    with durable_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
