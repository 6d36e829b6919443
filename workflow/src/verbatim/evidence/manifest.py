"""A manifest in which each entry's hash covers the one before it, so that nothing can be changed alone.

A line a file, canonical JSON: n, path, bytes, sha256 of the file, `previous` (the hash of the line
before, zeros for the first) and `hash` (SHA-256 of the line without it). The last hash, the head,
covers everything; whoever keeps it elsewhere can tell any later change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

NAME = "manifest.jsonl"
START = "0" * 64


def canonical(data: Any) -> str:
    """JSON with one way to write each value: sorted keys, no blanks."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


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


def check_chain(manifest: bytes, files: Mapping[str, bytes], head: str | None) -> list[str]:
    """What is wrong with a bundle, a sentence a fault; none if it is as it was made.

    Parameters
    ----------
    manifest : bytes of the manifest. files : every other file of the folder by its path.
    head : what was kept elsewhere or lies beside; None where nobody has it, and then a manifest that
        was made anew as a whole, or cut at its end, cannot be told.
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
        body = {key: value for key, value in entry.items() if key != "hash"}
        if sha256(canonical(body).encode()) != entry["hash"]:
            faults.append(f"{where} ({entry['path']}): changed, its hash does not cover it")
        if entry["n"] != number - 1:
            faults.append(f"{where}: is entry {entry['n']}; a line was added, taken out or moved")
        if previous is not None and entry["previous"] != previous:
            faults.append(f"{where}: does not follow the line before it")
        previous = entry["hash"]
        path = entry["path"]
        listed.add(path)
        if path not in files:
            faults.append(f"{path}: is listed and not there")
        elif sha256(files[path]) != entry["sha256"] or len(files[path]) != entry["bytes"]:
            faults.append(
                f"{path}: its bytes were changed ({len(files[path])}, {entry['bytes']} listed)"
            )
    faults += [f"{path}: is there and not listed" for path in sorted(set(files) - listed)]
    if head is not None and previous != head:
        faults.append(f"head: the chain ends in {previous}, the head that was kept is {head!r}")
    return faults


def _parse(line: bytes) -> dict[str, Any] | None:
    """An entry, or None if the line is not what `chain_files` would have written for any file."""
    kinds = {"n": int, "path": str, "bytes": int, "sha256": str, "previous": str, "hash": str}
    try:
        entry = json.loads(line)
        good = (
            isinstance(entry, dict)
            and set(entry) == set(kinds)
            and all(type(entry[key]) is kind for key, kind in kinds.items())
            and canonical(entry).encode() == line
        )
    except (ValueError, RecursionError):
        return None
    return entry if good else None
