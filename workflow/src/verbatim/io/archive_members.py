"""Find the member of an archive that is the image of a key, by a look-up and not by a constructed name.

An archive that passed through other hands may name its members `./000000001.jpg` or `00000/000000001.jpg`, may mix
formats, or write suffixes in capitals, and a table's keys may have lost their leading zeros. So a key is compared
with the stem of each member's name, as a number where it is one.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from pathlib import PurePosixPath

from verbatim.io.formats import IMAGES

KEY = r"[0-9]{1,18}"  # a key is compared as an int64
# what img2dataset, WebDataset and their users put beside an image
BESIDE = (
    ".txt", ".json", ".cls", ".caption", ".csv", ".tsv", ".npy", ".npz", ".parquet", ".xml", ".yaml", ".yml",
    ".md", ".html", ".pkl", ".pickle", ".pyd", ".pth", ".pt", ".safetensors", ".log", ".wav", ".mp3", ".mp4",
)  # fmt: skip


class AmbiguousKeyError(ValueError):
    """Two members of an archive are the image of one key; the message names both and the cure."""


def key_of(text: str) -> str:
    """A key as an archive and a table share it: its number without leading zeros, or the text itself.

    The folder and the suffix of a name do not matter for its key; neither does the `.0` of a number that passed
    through a column of floats.
    """
    name = PurePosixPath(text).name
    stem, suffix = posixpath.splitext(name)
    if suffix.lower() in IMAGES or (suffix == ".0" and re.fullmatch(KEY, stem)):
        name = stem
    return str(int(name)) if re.fullmatch(KEY, name) else name


def is_image(name: str) -> bool:
    """Whether a member's name is that of an image; the hidden `._x.jpg` that macOS writes are none."""
    path = PurePosixPath(name)
    return path.suffix.lower() in IMAGES and not path.name.startswith("._")


class Members:
    """The members of one archive by name and by key.

    Of two with one name the last counts, as for `tar` itself: an archive that was appended to holds both.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, tarfile.TarInfo] = {}
        self._by_key: dict[str, list[str]] | None = None

    def add(self, info: tarfile.TarInfo) -> None:
        """Note a member, whatever its type."""
        self._by_name[posixpath.normpath(info.name)] = info
        self._by_key = None

    def find(self, member: str) -> tarfile.TarInfo | None:
        """The member of this name, else the one whose key is this name's, None if there is neither.

        Raises
        ------
        AmbiguousKeyError
            If several images have the key.
        """
        known = self._by_name.get(posixpath.normpath(member))
        if known is not None and PurePosixPath(member).suffix:
            return known
        if self._by_key is None:
            self._by_key = self._index()
        names = self._by_key.get(key_of(member), [])
        if len(names) > 1:
            raise AmbiguousKeyError(
                f"{names[0]!r} and {names[1]!r} are both the image of key {member!r}; take one of them away"
            )
        return self._by_name[names[0]] if names else known

    def _index(self) -> dict[str, list[str]]:
        """Key -> names of its images; of what has no image's suffix, if there is no such name."""
        images: dict[str, list[str]] = {}
        others: dict[str, list[str]] = {}
        links: dict[
            str, list[str]
        ] = {}  # and whatever else is no plain file: never read, but named
        for name, info in self._by_name.items():
            path = PurePosixPath(name)
            if info.isdir() or path.suffix.lower() in BESIDE or path.name.startswith("._"):
                continue
            known = path.suffix.lower() in IMAGES
            found = (images if known else others) if info.isreg() else links
            found.setdefault(key_of(path.name if known else path.stem), []).append(name)
        return {**links, **others, **images}
