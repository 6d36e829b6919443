"""A folder of images fetched by URL, so that a resumed run or another model requests none twice.

One file for each url, named by the sha256 of the url: a line of JSON that says what came of it, then the image's bytes
as they were sent. A file is written under another name and moved, and checked when it is read: one that is
not what it says is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from verbatim.io.atomic import write_bytes
from verbatim.io.images import ImageError, decode_image
from verbatim.io.seals import DamagedError
from verbatim.io.training_images import TrainingImage

LONGEST_LINE = 1_000_000


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
    """A folder of entries; safe for several processes."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def path(self, url: str) -> Path:
        """The file of a url; nothing of the url itself is in the name."""
        name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / name[:2] / name

    def read(self, url: str) -> tuple[Entry, bytes] | None:
        """What is known of a url and its bytes, None if nothing is, or if the file is damaged."""
        try:
            with open(self.path(url), "rb") as file:
                line = file.readline(LONGEST_LINE)
                data = file.read()
            entry = Entry(**json.loads(line))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        sound = entry.url == url and entry.size == len(data)
        if not sound or entry.sha256 != hashlib.sha256(data).hexdigest():
            return None
        return entry, data

    def write(self, entry: Entry, data: bytes) -> None:
        """Keep what came of a url, in place of what was known."""
        line = json.dumps(asdict(entry)).encode("ascii") + b"\n"
        # not waited for: millions of small files, each of which is checked when it is read
        write_bytes(self.path(entry.url), line + data, durable=False)


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
