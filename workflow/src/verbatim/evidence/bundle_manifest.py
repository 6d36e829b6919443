"""A manifest in which each entry's hash covers the one before it, so that nothing can be changed alone.

One line for each file, canonical JSON: n, path, bytes, sha256 of the file, `previous` (the hash of the line
before, zeros for the first) and `hash` (SHA-256 of the line without it). The last hash, the head,
covers everything. A copy of it that is kept elsewhere shows any later change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from verbatim.evidence.folder import FileFault

NAME = "manifest.jsonl"
START = "0" * 64
KINDS = {"n": int, "path": str, "bytes": int, "sha256": str, "previous": str, "hash": str}


class Chain(NamedTuple):
    """What a manifest says. listed : paths of its entries. head : hash of its last entry; None where it is damaged."""

    faults: list[str]
    listed: set[str]
    head: str | None


def canonical(data: Any) -> str:
    """JSON with one way to write each value: sorted keys, no blanks."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def read_canonical(data: bytes) -> Any:
    """What `canonical` wrote.

    Raises
    ------
    ValueError
        It is written in another way: keys twice, NaN, numbers without bounds, nested too deeply, no JSON.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) != len(pairs):
            names = [key for key, _ in pairs]
            raise ValueError(f"key {next(key for key in names if names.count(key) > 1)!r} twice")
        return read

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    try:
        text = data.decode("ascii")
        read = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
        if canonical(read) != text:
            raise ValueError("not written as a bundle's files are: sorted keys, no blanks")
    except RecursionError as err:
        raise ValueError("nested too deeply") from err
    return read


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def chain_files(files: Iterable[tuple[str, bytes]]) -> tuple[str, str]:
    """Manifest of files, in this order, and its head."""
    lines, previous = [], START
    for n, (path, data) in enumerate(files):
        entry = {
            "n": n,
            "path": path,
            "bytes": len(data),
            "sha256": sha256(data),
            "previous": previous,
        }
        previous = sha256(canonical(entry).encode())
        lines.append(canonical(entry | {"hash": previous}))
    return "".join(line + "\n" for line in lines), previous


def check_chain(manifest: bytes, files: Mapping[str, bytes], head: str | None) -> Chain:
    """What is wrong with a bundle's files, one sentence for each fault; none if they are as they were listed.

    Parameters
    ----------
    manifest : bytes of the manifest. files : every other file of the folder by its path, read one at a time.
    head : the head that was kept elsewhere or is beside the bundle; None if there is none, and then a manifest that
        was made again as a whole, or cut at its end, cannot be told.
    """
    faults: list[str] = []
    listed: set[str] = set()
    previous: str | None = START
    if manifest and not manifest.endswith(b"\n"):
        faults.append(f"{NAME}: the last line is cut off or its end was changed")
    for number, line in enumerate(manifest.split(b"\n")[:-1], 1):
        where = f"{NAME}, line {number}"
        entry = _parse(line)
        if entry is None:
            faults.append(f"{where}: changed, it is no entry as it was written")
            previous = None
            continue
        path = entry["path"]
        body = {key: value for key, value in entry.items() if key != "hash"}
        if sha256(canonical(body).encode()) != entry["hash"]:
            faults.append(f"{where} ({path}): changed, its hash does not cover it")
        if entry["n"] != number - 1:
            faults.append(f"{where}: is entry {entry['n']}; a line was added, taken out or moved")
        if previous is not None and entry["previous"] != previous:
            faults.append(f"{where}: does not follow the line before it")
        previous = entry["hash"]
        if path in listed:
            faults.append(f"{where} ({path}): is listed twice")
            continue
        listed.add(path)
        faults += _file_faults(entry, files)
    faults += [f"{path}: is there and not listed" for path in sorted(set(files) - listed)]
    if head is not None and previous != head:
        faults.append(f"head: the chain ends in {previous}, the head that was kept is {head!r}")
    return Chain(faults, listed, previous)


def _file_faults(entry: Mapping[str, Any], files: Mapping[str, bytes]) -> list[str]:
    """What is wrong with the file of one entry."""
    path = entry["path"]
    if path not in files:
        return [f"{path}: is listed and not there"]
    try:
        data = files[path]
    except FileFault as err:
        return [f"{path}: {err}"]
    if sha256(data) != entry["sha256"] or len(data) != entry["bytes"]:
        return [f"{path}: its bytes were changed ({len(data)}, {entry['bytes']} listed)"]
    return []


def _parse(line: bytes) -> dict[str, Any] | None:
    """An entry, or None if the line is not what `chain_files` would have written for any file."""
    try:
        entry = read_canonical(line)
    except ValueError:
        return None
    good = (
        isinstance(entry, dict)
        and set(entry) == set(KINDS)
        and all(type(entry[key]) is kind for key, kind in KINDS.items())
    )
    return entry if good else None
