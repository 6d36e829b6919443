"""Many entries in few files: the bytes of images one behind another, and a line of JSON for each.

A process writes packs of its own, `<name>.images` and `<name>.jsonl`, and only ever adds to their ends; so several
processes may write to one folder. The bytes are written before their line, both at once: what a killed process had
written is kept. A line that is not whole, or whose bytes are not those that it names, is as good as none. A power
cut may cost the entries since the last `sync`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from verbatim.io.atomic import explained, sync

IMAGES, LINES = ".images", ".jsonl"
LONGEST_LINE = 1_000_000
LARGEST = 2**30  # bytes of images after which a further pack is begun
# what is waited for at a time, until the disk has it: a power cut costs no more
SYNC_ENTRIES, SYNC_BYTES = 1000, 2**26


class Place(NamedTuple):
    """Where an entry's line is."""

    pack: str
    start: int
    length: int


def key_of(url: str) -> bytes:
    """What an index holds in place of a url, 16 bytes."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()[:16]


class PackWriter:
    """Adds entries to packs in this folder. For one thread at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._pack = ""
        self._images: FileIO | None = None
        self._lines: FileIO | None = None
        self._sizes = [0, 0]  # of both
        self._unsynced = [0, 0]  # entries, bytes

    def add(self, entry: Mapping[str, Any], data: bytes) -> Place:
        """Write an entry and its bytes; raises `WriteError`, and what was known stays known."""
        with explained(self.folder / (self._pack or "pack")):
            if self._images is None or self._lines is None:
                self._images, self._lines = self._begin()
            try:
                line = json.dumps({**entry, "start": self._sizes[0]}).encode("ascii") + b"\n"
                place = Place(self._pack, self._sizes[1], len(line))
                _write(self._images, data)
                _write(self._lines, line)
            except BaseException:  # there may be half a line: nothing may follow it
                self._end()
                raise
            self._sizes = [self._sizes[0] + len(data), self._sizes[1] + len(line)]
            self._unsynced = [self._unsynced[0] + 1, self._unsynced[1] + len(data)]
            if self._unsynced[0] >= SYNC_ENTRIES or self._unsynced[1] >= SYNC_BYTES:
                self.sync()
            if self._sizes[0] >= LARGEST:
                self.close()
        return place

    def _begin(self) -> tuple[FileIO, FileIO]:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pack = secrets.token_hex(16)
        base = str(self.folder / self._pack)
        self._sizes = [0, 0]
        return FileIO(base + IMAGES, "xb"), FileIO(base + LINES, "xb")

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        if self._images is not None and self._lines is not None and self._unsynced[0]:
            os.fsync(self._images.fileno())
            os.fsync(self._lines.fileno())
            sync(self.folder)
            self._unsynced = [0, 0]

    def close(self) -> None:
        """`sync`, and begin another pack with the next entry."""
        try:
            self.sync()
        finally:
            self._end()

    def _end(self) -> None:
        for file in (self._images, self._lines):
            if file is not None:
                file.close()
        self._images = self._lines = None
        self._unsynced = [0, 0]


def _write(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def index_packs(folder: Path) -> dict[bytes, Place]:
    """`key_of` a url -> where its last entry is, by the second at which it was fetched.

    Of one second, an image goes before a failure, and what was written later before what was written earlier.
    """
    places: dict[bytes, Place] = {}
    order: dict[bytes, tuple[str, bool]] = {}
    for path in sorted(folder.glob("*" + LINES), key=lambda path: path.stat().st_mtime_ns):
        start = 0
        with open(path, "rb") as file:
            while line := file.readline(LONGEST_LINE):
                place = Place(path.stem, start, len(line))
                start += len(line)
                try:
                    entry = json.loads(line)
                    key, age = key_of(entry["url"]), (entry["fetched"], entry["status"] == "ok")
                    newest = age >= order.get(key, ("", False))
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    continue
                if newest:
                    places[key], order[key] = place, age
    return places


def read_place(folder: Path, place: Place) -> tuple[dict[str, Any], bytes]:
    """The line of an entry, and the bytes that it names, fewer if the pack is cut short.

    Raises OSError, ValueError, TypeError, KeyError or RecursionError if there is none.
    """
    with open(folder / (place.pack + LINES), "rb") as lines:
        lines.seek(place.start)
        entry = json.loads(lines.read(place.length))
    start, size = entry.pop("start"), entry["size"]
    if not 0 <= size <= LARGEST:
        raise ValueError(f"a size of {size} bytes")
    if size == 0:
        return entry, b""
    with open(folder / (place.pack + IMAGES), "rb", buffering=0) as images:
        images.seek(start)
        return entry, images.read(size)
