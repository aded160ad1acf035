"""One process at a time in a study's directory; of a mirror, in what lies at its URL too."""

import logging
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from if_circuits.errors import InputError
from if_circuits.study.mirror import Mirror, place_name
from if_circuits.study.uploading import claimed

LOCK = ".lock"

_logger = logging.getLogger(__name__)


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
            f"{place_name(root)} is in use by process {_holder(file)}; wait for it to end, or choose another "
            "directory"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write a study to {root}: {error.strerror}") from error
    try:
        file.write_text(str(os.getpid()))
        with claimed(root):
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


@contextmanager
def uploaded(root: Path) -> Generator[None]:
    """Upload what is written into a mirror meanwhile, unless another process is at work on the study."""
    with ExitStack() as stack:
        if Mirror.at(root) is not None:
            try:
                stack.enter_context(locked(root))
            except InputError as error:
                _logger.warning("%s; what is written stays in %s", error, root)
        yield


def _holder(file: Path) -> str:
    with suppress(OSError):
        return file.read_text().strip() or "unknown"
    return "unknown"
