"""One process at a time in a study's directory."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from if_circuits.errors import InputError

LOCK = ".lock"


@contextmanager
def locked(root: Path) -> Generator[None]:
    """Hold the directory, made if need be, until the block ends or the process dies, however it dies.

    Raises InputError when another process holds it, and when the directory cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / LOCK).open("a+")
    except OSError as error:
        raise InputError(f"cannot write a study to {root}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InputError(
                f"{root} is in use by process {file.read().strip() or 'unknown'}; wait for it to end, or "
                "choose another directory"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
