"""One process at a time in a study's directory."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from if_circuits.errors import InputError

LOCK = ".lock"


@contextmanager
def locked(root: Path) -> Generator[None]:
    """Hold the directory, made if need be, until the block ends or the process dies, however it dies.

    A block that fails before it has written anything leaves no directory behind. Raises InputError when
    another process holds the directory, and when it cannot be written.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    file, lock = root / LOCK, FileLock(root / LOCK, timeout=0)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{root} is in use by process {_holder(file)}; wait for it to end, or choose another directory"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write a study to {root}: {error.strerror}") from error
    try:
        file.write_text(str(os.getpid()))
        yield
    except BaseException:
        if made and list(root.iterdir()) == [file]:
            file.unlink()
            with suppress(OSError):  # somebody else may have found a use for a folder above
                for folder in made:
                    folder.rmdir()
        raise
    finally:
        lock.release()


def _holder(file: Path) -> str:
    with suppress(OSError):
        return file.read_text().strip() or "unknown"
    return "unknown"
