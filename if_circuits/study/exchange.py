"""What a mirror and its URL exchange: pull makes the mirror like the URL, push the URL like the mirror.

Whenever a machine dies, each object that the record at the URL names has the content that it names: an object
is dropped from the record before it is replaced, and named again once it is there. Where others have changed
the URL since this mirror last looked, the URL counts.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from if_circuits.activations.manifest import MANIFEST_FILE
from if_circuits.errors import InputError
from if_circuits.io.digest import file_sha256
from if_circuits.io.durable import durable_file
from if_circuits.io.files import json_text, write_bytes
from if_circuits.io.remote import Listed
from if_circuits.study.claim import token_at
from if_circuits.study.ledger import RECORD
from if_circuits.study.mirror import FETCHED, Held, Mirror, is_visible

_logger = logging.getLogger(__name__)

_SHARD = re.compile(r"(activations[^/]*)/shard-[0-9]+\.safetensors")
_AT_WORK = re.compile(r"(generated|at-work-[^/]*)/.*")
"""What only a run that goes on reads."""
_TOGETHER = 64
_TOGETHER_BYTES = 256 * 2**20
"""Files that are sent together, and their bytes where they are more than one."""


def pull(mirror: Mirror, *, to_write: bool) -> Mirror:
    """Make the mirror what lies at the URL, and fetch what is wanted of it.

    Shards of a finished capture stay where they are until they are read. Without `to_write`, so does what
    only a run that goes on would need, and whatever is missing or damaged is an InputError.
    """
    there = _visible(mirror.remote.listing())
    if there and RECORD not in there:
        raise InputError(f"{mirror.url} holds files but no study; choose another URL, with nothing below it")
    if there != mirror.there or (RECORD in there and not (mirror.root / RECORD).is_file()):
        # The claim of a run here that was killed while it uploaded: nobody has changed anything since.
        ours = mirror.token and mirror.token == token_at(mirror.remote)
        mirror = _go_on(mirror, there) if ours else _follow(mirror, there)
    recorded = _recorded(mirror)
    whole = _whole_stores(recorded, there)
    wanted = [name for name in {**recorded, **there} if name != RECORD and _is_wanted(name, whole, to_write)]
    lacking = [name for name in wanted if not (mirror.root / name).is_file()]
    missing = [name for name in lacking if name in recorded and not mirror.lies_there(name, recorded[name])]
    if missing and not to_write:
        raise InputError(f"{mirror.url}/{missing[0]} is missing; {_remedy(mirror)}")
    # What the record does not name and was here before was removed here, and not there yet.
    fetched = [
        name
        for name in lacking
        if mirror.lies_there(name, recorded.get(name)) or (name in there and name not in mirror.held)
    ]
    mirror = fetch(mirror, fetched)
    if not to_write:
        for name in fetched:
            if name in recorded and file_sha256(mirror.root / name) != recorded[name]:
                (mirror.root / name).unlink()
                if is_changed(mirror):
                    raise InputError(f"{mirror.url} was changed while it was read: try again")
                raise InputError(f"{mirror.url}/{name} is damaged; {_remedy(mirror)}")
    return mirror


def is_changed(mirror: Mirror) -> bool:
    """Whether the URL is not as it was when this mirror last looked."""
    return _visible(mirror.remote.listing()) != mirror.there


def fetch(mirror: Mirror, names: Sequence[str]) -> Mirror:
    """Fetch objects, each written beside its place and renamed when it is whole."""
    for group in _groups(names, {name: mirror.there[name].size for name in names}):
        for name in group:
            (mirror.root / name).parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = {name: stack.enter_context(durable_file(mirror.root / name)) for name in group}
            mirror.remote.download(files)
        mirror = mirror.holding(*group)
    mirror.save()
    return mirror


def push(mirror: Mirror, still_ours: Callable[[], None]) -> Mirror:
    """Make the URL what lies here: what was written, then what is no more, the record last.

    `still_ours` is called before each group of files; it raises InputError where somebody else took over.
    """
    content = (mirror.root / RECORD).read_bytes() if (mirror.root / RECORD).is_file() else b""
    if not content:
        return mirror
    recorded, local = json.loads(content)["files"], dict(mirror.files())
    changed = {name: path for name, path in local.items() if name != RECORD and not mirror.untouched(name)}
    gone = [name for name in mirror.there if name not in local and _is_gone(name, mirror, recorded)]
    if not changed and not gone and mirror.untouched(RECORD):
        return mirror
    before = {name: (file_sha256(path), Held.of(path)) for name, path in changed.items() if path.is_file()}
    # What was sent or fetched before a record named it is there as well.
    named = [name for name in recorded if name not in mirror.hashes and mirror.untouched(name)]
    hashes = {**mirror.hashes, **{name: file_sha256(local[name]) for name in named if name in local}}
    replaced = {name for name, (sha256, _) in before.items() if hashes.get(name, sha256) != sha256}
    replaced |= set(gone) & set(hashes)
    if replaced or RECORD not in mirror.there:
        hashes = {name: sha256 for name, sha256 in hashes.items() if name not in replaced}
        mirror.remote.write(RECORD, _naming(content, hashes))
    for group in _groups([*before], {name: held.size for name, (_, held) in before.items()}):
        still_ours()
        mirror.remote.upload({name: changed[name] for name in group})
    still_ours()
    mirror.remote.remove(gone)
    # A file that was written again meanwhile is sent again next time.
    sent = {name: found for name, found in before.items() if _is_as(changed[name], found[1])}
    hashes = {name: sha256 for name, sha256 in hashes.items() if name not in before}
    hashes |= {name: sha256 for name, (sha256, _) in sent.items()}
    final = _naming(content, hashes)
    mirror.remote.write(RECORD, final)
    held = {name: each for name, each in mirror.held.items() if name not in before and name not in gone}
    held |= {name: each for name, (_, each) in sent.items()}
    held.pop(RECORD, None)
    mirror = replace(
        mirror,
        there=_visible(mirror.remote.listing()),
        hashes=json.loads(final)["files"],
        held=held,
    )
    if final == content == (mirror.root / RECORD).read_bytes():
        mirror = mirror.holding(RECORD)
    mirror.save()
    return mirror


def _go_on(mirror: Mirror, there: Mapping[str, Listed]) -> Mirror:
    """Keep the mirror as it is, and note what of it lies at the URL."""
    _, hashes = _record_at(mirror, there)
    held = {name: held for name, held in mirror.held.items() if mirror.there.get(name) == there.get(name)}
    mirror = replace(mirror, there=there, hashes=hashes, held=held)
    mirror.save()
    return mirror


def _record_at(mirror: Mirror, there: Mapping[str, Listed]) -> tuple[bytes | None, dict[str, str]]:
    """The record at the URL, and the hashes that it names."""
    content = mirror.remote.read(RECORD) if RECORD in there else None
    try:
        return content, json.loads(content)["files"] if content is not None else {}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{mirror.url}/{RECORD} cannot be read: {error}; without its record a study cannot go on: "
            "restore the object, or choose another URL"
        ) from error


def _follow(mirror: Mirror, there: Mapping[str, Listed]) -> Mirror:
    """Keep of the mirror what is as it lies at the URL, and take the record there."""
    content, hashes = _record_at(mirror, there)
    if mirror.there and (mirror.root / RECORD).is_file() and not mirror.untouched(RECORD):
        _logger.warning("%s was changed by others; what was not uploaded from here is dropped", mirror.url)
    kept: dict[str, Held] = {}
    for name, path in list(mirror.files()):
        if name == RECORD:
            continue
        same = name in there and mirror.untouched(name) and mirror.there.get(name) == there[name]
        if name in there and (file_sha256(path) == hashes[name] if name in hashes else same):
            kept[name] = Held.of(path)
        else:
            path.unlink()
    if content is None:
        (mirror.root / RECORD).unlink(missing_ok=True)
    else:
        write_bytes(mirror.root / RECORD, content)
        kept[RECORD] = Held.of(mirror.root / RECORD)
    _forget_ranges(mirror.root / FETCHED, hashes)
    mirror = replace(mirror, there=there, hashes=hashes, held=kept)
    mirror.save()
    return mirror


def _forget_ranges(folder: Path, hashes: Mapping[str, str]) -> None:
    """Remove what was read of captures that are no more."""
    for capture in folder.glob("*/*"):
        if not hashes.get(f"{capture.parent.name}/{MANIFEST_FILE}", "").startswith(capture.name):
            shutil.rmtree(capture)


def _recorded(mirror: Mirror) -> dict[str, str]:
    """The hashes that the record here names."""
    path = mirror.root / RECORD
    return json.loads(path.read_bytes())["files"] if path.is_file() else {}


def _is_wanted(name: str, whole: Iterable[str], to_write: bool) -> bool:
    if shard := _SHARD.fullmatch(name):
        return to_write and shard[1] not in whole
    return to_write or not _AT_WORK.fullmatch(name)


def _whole_stores(recorded: Mapping[str, str], there: Mapping[str, Listed]) -> set[str]:
    """The finished captures of which every shard is there; of another one those that are there are needed."""
    shards = [(name, found[1]) for name in recorded if (found := _SHARD.fullmatch(name))]
    finished = {store for _, store in shards if f"{store}/{MANIFEST_FILE}" in recorded}
    return finished - {store for name, store in shards if name not in there}


def _is_as(path: Path, held: Held) -> bool:
    return path.is_file() and Held.of(path) == held


def _is_gone(name: str, mirror: Mirror, recorded: Mapping[str, str]) -> bool:
    """Whether an object that does not lie here was given up here, and not just never fetched."""
    if name == RECORD or mirror.lies_there(name, recorded.get(name)):
        return False
    return name in mirror.hashes or name in mirror.held


def _naming(record: bytes, hashes: Mapping[str, str]) -> bytes:
    """A record that names only the files that are at the URL as it names them."""
    values: dict[str, Any] = json.loads(record)
    files = cast("dict[str, str]", values["files"])
    there = {name: sha256 for name, sha256 in files.items() if hashes.get(name) == sha256}
    return record if there == files else json_text({**values, "files": there}).encode()


def _groups(names: Sequence[str], sizes: Mapping[str, int]) -> list[list[str]]:
    """Manifests last: what one names is there before it is."""
    groups: list[list[str]] = []
    room = 0
    for name in sorted(names, key=lambda name: (name.endswith(f"/{MANIFEST_FILE}"), name)):
        room -= sizes[name]
        if not groups or room < 0 or len(groups[-1]) == _TOGETHER:
            groups.append([])
            room = _TOGETHER_BYTES - sizes[name]
        groups[-1].append(name)
    return groups


def _visible(listing: Mapping[str, Listed]) -> dict[str, Listed]:
    return {name: listed for name, listed in listing.items() if is_visible(name)}


def _remedy(mirror: Mirror) -> str:
    record: dict[str, Any] = json.loads((mirror.root / RECORD).read_bytes())
    return (
        f"to make it again, go on with `if-circuits run {record['config']['model']} --out {mirror.url}` and "
        "the options that the study was made with"
    )
