"""What a run writes into a mirror is uploaded while it works, and at its end."""

from __future__ import annotations

import logging
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread

from if_circuits.errors import InputError
from if_circuits.study.claim import Claim
from if_circuits.study.exchange import is_changed, pull, push
from if_circuits.study.mirror import Mirror

PACE = 30.0
"""Seconds between two uploads of what was written: about what the death of a machine costs."""

_logger = logging.getLogger(__name__)


@contextmanager
def claimed(root: Path) -> Generator[None]:
    """Hold the URL of a mirror, and upload what is written meanwhile; nothing is done for another folder.

    The caller holds the folder itself. Raises InputError where another process holds the URL, and at the end
    where something could not be uploaded: it is kept here, and goes with the next upload.
    """
    mirror = Mirror.at(root)
    if mirror is None:
        yield
        return
    claim = Claim.take(mirror.remote, before=mirror.token)
    try:
        if is_changed(mirror):
            mirror = pull(mirror, to_write=True)
        replace(mirror, token=claim.token).save()
        with _ended_by_sigterm(), _uploading(root, claim):
            yield
    finally:
        claim.release()


@contextmanager
def _ended_by_sigterm() -> Generator[None]:
    """Before a machine is taken away it says so by SIGTERM: the run stops as by Ctrl-C, and uploads."""
    if current_thread() is not main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uploading(root: Path, claim: Claim) -> Generator[None]:
    ended = Event()

    def upload() -> None:
        claim.renew()
        mirror = Mirror.at(root)
        if mirror is not None:
            push(mirror, claim.renew)

    def upload_at_times() -> None:
        while not ended.wait(PACE):
            try:
                upload()
            except (InputError, OSError) as error:
                _logger.warning("not uploaded yet: %s", error)

    thread = Thread(target=upload_at_times, name="upload", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        ended.set()
        thread.join()
        try:
            upload()
        except (InputError, OSError) as error:
            _logger.warning("not uploaded: %s", error)
        raise
    ended.set()
    thread.join()
    upload()
