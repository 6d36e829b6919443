"""A folder of images fetched by URL, so that a resumed run or another model requests none twice.

What came of each url, and the image's bytes as they were sent, are in packs (`url_packs`); a file for each url, named
by the sha256 of the url, is read too. All of it is checked when it is read: an entry that is not what it says is as
good as none.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from verbatim.inputs.url_packs import (
    IMAGES,
    LONGEST_LINE,
    PackWriter,
    Place,
    index_packs,
    key_of,
    read_place,
)
from verbatim.io.images import ImageError, decode_image
from verbatim.io.seals import DamagedError
from verbatim.io.training_images import TrainingImage


@dataclass(frozen=True)
class Entry:
    """What came of a url. status, reason: as of `download.Download`; sha256, size: of the bytes that were sent."""

    url: str
    status: str
    reason: str
    sha256: str
    size: int
    final_url: str
    fetched: str  # UTC, ISO 8601


class UrlCache:
    """A folder of entries; safe for several processes and threads. Sees what others wrote before its first look."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self._writer = PackWriter(self.folder)
        self._places: dict[bytes, Place] | None = None
        self._lock = threading.Lock()

    def path(self, url: str) -> Path:
        """The file that has a url's image, or would have; nothing of the url itself is in the name."""
        place = self._place(url)
        return self.folder / (place.pack + IMAGES) if place else self._single(url)

    def _single(self, url: str) -> Path:
        name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / name[:2] / name

    def _place(self, url: str) -> Place | None:
        with self._lock:
            if self._places is None:
                self._places = index_packs(self.folder)
            return self._places.get(key_of(url))

    def read(self, url: str) -> tuple[Entry, bytes] | None:
        """What is known of a url and its bytes, None if nothing is, or if it is damaged."""
        place = self._place(url)
        try:
            if place is not None:
                line, data = read_place(self.folder, place)
            else:
                with open(self._single(url), "rb") as file:
                    line = json.loads(file.readline(LONGEST_LINE))
                    data = file.read()
            entry = Entry(**line)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        sound = entry.url == url and entry.size == len(data)
        if not sound or entry.sha256 != hashlib.sha256(data).hexdigest():
            return None
        return entry, data

    def write(self, entry: Entry, data: bytes) -> None:
        """Keep what came of a url, in place of what was known."""
        with self._lock:
            place = self._writer.add(vars(entry), data)
            if self._places is not None:
                self._places[key_of(entry.url)] = place

    def close(self) -> None:
        """Wait until everything is on the disk; what is written afterwards is in a further pack."""
        with self._lock:
            self._writer.close()


class FetchedUrls:
    """The images of a `urls` table, out of the cache, by row.

    Parameters
    ----------
    folder
        Of the cache.
    urls
        A `urls` table; None for a run that fetches nothing.
    """

    def __init__(self, folder: str | os.PathLike, urls: pd.DataFrame | None):
        self._cache = UrlCache(folder)
        records = [] if urls is None else urls.to_dict("records")
        self._known = {int(record["row"]): record for record in records}

    def __contains__(self, row: int) -> bool:
        return row in self._known

    def read(self, row: int) -> TrainingImage:
        """The row's image: `missing` if it could not be fetched, never another.

        Raises
        ------
        DamagedError
            If it was fetched, and is not in the cache any longer or is another file.
        """
        record = self._known[row]
        url, status = record["url"], record["status"]
        if status != "ok":
            return TrainingImage(None, "missing", f"{url}: {status}: {record['reason']}")
        found = self._cache.read(url)
        if found is None or found[0].sha256 != record["sha256"]:
            raise DamagedError(
                self._cache.path(url),
                f"not the file that was fetched from {url}",
                "delete the model's urls.parquet and run the same command again: it is fetched again",
            )
        try:
            return TrainingImage(decode_image(found[1]), "ok", "")
        except ImageError as err:
            return TrainingImage(None, "broken", f"{url}: {err}")
