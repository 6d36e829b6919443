"""Images of training rows from img2dataset's archives, looked up by key (`members`).

Nothing is unpacked to disk, and a member's name is only ever compared: no name in an archive becomes a
path. What cannot be read is a state with a reason, and the rest goes on.
"""

from __future__ import annotations

import os
import tarfile
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pandas as pd

from verbatim.io.archive_members import AmbiguousKeyError, Members
from verbatim.io.images import MAX_BYTES, ImageError, decode_image

MAX_MEMBERS = (
    1_000_000  # ASSUME: a hundred times img2dataset's 10,000 images; more is no such archive
)


@dataclass(frozen=True)
class TrainingImage:
    """One row's image, float32 (h, w, 3) in [0, 1] at its native size, or why there is none.

    status: `ok`, `missing` (no archive, or not in it), `broken` (there, but unusable).
    """

    image: np.ndarray | None
    status: str
    reason: str


class _Archive:
    """One open tar: its members, and why it could not be read to its end ("" if it could)."""

    def __init__(self, path: str | os.PathLike):
        self.members = Members()
        self.damage = ""
        self.tar: tarfile.TarFile | None = None
        try:
            # plain tar only: a compressed one may hide a bomb
            self.tar = tarfile.open(path, "r:")  # noqa: SIM115  (stays open for reading)
            for count, info in enumerate(self.tar):
                if count >= MAX_MEMBERS:
                    raise tarfile.ReadError(f"more than {MAX_MEMBERS} members")
                self.members.add(info)
            # tarfile takes a broken header for the end; the end is a block of zeros
            with open(path, "rb") as file:
                file.seek(self.tar.offset)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise tarfile.ReadError(f"no member and no end at byte {self.tar.offset}")
        except (tarfile.TarError, OSError, ValueError) as err:
            # what stands before the damage can be used
            self.damage = "no such file" if isinstance(err, FileNotFoundError) else str(err)

    def close(self) -> None:
        if self.tar is not None:
            self.tar.close()


class TrainingImages:
    """Reads training images from archives; use as a context manager.

    Parameters
    ----------
    max_bytes
        Largest file of an image; a larger member is `broken` and is not read.
    keep_open
        How many archives stay open: ask in order of rows, and one is enough.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, keep_open: int = 4):
        self.max_bytes = max_bytes
        self.keep_open = keep_open
        self._open: OrderedDict[str, _Archive] = OrderedDict()

    def _archive(self, path: str) -> _Archive:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            while len(self._open) >= max(1, self.keep_open):
                self._open.popitem(last=False)[1].close()
            self._open[path] = _Archive(path)
        return self._open[path]

    def holds(self, archive: str, member: str) -> bool:
        """Whether the archive has a file for this member or key, usable or not; only headers are read."""
        if not archive:
            return False
        try:
            found = self._archive(archive).members.find(member)
        except AmbiguousKeyError:
            return True
        return found is not None and found.isreg()

    def read(self, archive: str, member: str) -> TrainingImage:
        """The image with this member name or key in this archive. Never raises for what is in the archive."""
        if not archive:
            return TrainingImage(
                None,
                "missing",
                "no archive holds this row; bring img2dataset tars (inputs.images)",
            )
        opened = self._archive(archive)
        try:
            info = opened.members.find(member)
        except AmbiguousKeyError as err:
            return TrainingImage(None, "broken", f"{archive}: {err}")
        if info is None:
            damage = f"; the archive is damaged ({opened.damage})" if opened.damage else ""
            return TrainingImage(None, "missing", f"{archive} has no image {member!r}{damage}")
        # a sparse file of a few bytes can unpack to any size
        if not info.isreg() or info.issparse():
            return TrainingImage(None, "broken", f"{archive}: {info.name!r} is not a plain file")
        if info.size > self.max_bytes:
            reason = f"{archive}: {info.name!r} has {info.size} bytes, more than {self.max_bytes}"
            return TrainingImage(None, "broken", reason)
        assert opened.tar is not None  # it has members
        try:
            file = opened.tar.extractfile(info)
            data = b"" if file is None else file.read()
            if len(data) != info.size:
                raise ImageError(f"{len(data)} of {info.size} bytes are there")
            return TrainingImage(decode_image(data), "ok", "")
        except (ImageError, tarfile.TarError, OSError) as err:
            return TrainingImage(None, "broken", f"{archive}: {info.name!r}: {err}")

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> TrainingImages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Images (n, h, w, 3) in [0, 1] of a `rows` table of the embedded world, and the rows themselves.

    Raises
    ------
    ImageError
        If one cannot be read: the world's archives are written here, so that this is damage and no state of a row.
    """
    read = []
    with TrainingImages() as reader:
        for archive, member in zip(rows.archive, rows.member, strict=True):
            read.append(read_own(reader, archive, member))
    return rows, np.stack(read)


def read_own(reader: TrainingImages, archive: str, member: str) -> np.ndarray:
    """An image (h, w, 3) in [0, 1] of an archive that this run wrote.

    Raises
    ------
    ImageError
        Naming the archive and the cure, if it is missing or broken.
    """
    got = reader.read(archive, member)
    if got.image is None:
        raise ImageError(
            f"{got.reason}: this run wrote that archive itself, so it is damaged; delete it and run again"
        )
    return got.image
