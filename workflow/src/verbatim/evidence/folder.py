"""A folder of files that somebody else made: plain files alone, within bounds, no link followed.

A bundle is checked by people who did not make it. A pipe in it would block, a link would read another file, and a
table of 20 GB in a file of 20 kB would take all memory; each is one sentence instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

MOST_FILES = 200_000
MOST_BYTES = 100_000_000_000  # of all files together
MOST_DEPTH = 3  # names on the way to a file: findings / prompt_id / file
MOST_OF_KIND = {".png": 100_000_000, ".json": 4_000_000, ".jsonl": 100_000_000}  # bytes of one file
MOST_OTHER = 1_000_000
EMPTY_MARK = ".snakemake_timestamp"  # Snakemake leaves it, empty, in a folder that a rule has made


class FileFault(ValueError):
    """A file cannot be used; the message says why, without its name."""


def read_plain(path: str | os.PathLike, most: int) -> bytes:
    """Bytes of a plain file; no link is followed and nothing waits.

    Parameters
    ----------
    most : bytes above which it is refused, before any is read.

    Raises
    ------
    FileFault
        It is not there, is no plain file, is too large, or cannot be read.
    """
    try:
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            raise FileFault(f"is {_kind(before.st_mode)}, no plain file")
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:
            now = os.fstat(number)
            if not stat.S_ISREG(now.st_mode):
                raise FileFault("is no plain file")
            if now.st_size > most:
                raise FileFault(f"has {now.st_size} bytes, more than {most}")
            data = file.read(most + 1)
    except OSError as err:
        raise FileFault(f"cannot be read: {err.strerror}") from err
    except ValueError as err:
        if isinstance(err, FileFault):
            raise
        raise FileFault(f"cannot be read: {err}") from err  # a name with a zero byte
    if len(data) > most:
        raise FileFault(f"has more than {most} bytes")
    return data


def _kind(mode: int) -> str:
    tests = {
        "a link": stat.S_ISLNK,
        "a folder": stat.S_ISDIR,
        "a pipe": stat.S_ISFIFO,
        "a socket": stat.S_ISSOCK,
        "a device": lambda m: stat.S_ISBLK(m) or stat.S_ISCHR(m),
    }
    return next((name for name, test in tests.items() if test(mode)), "something else")


class Folder(Mapping[str, bytes]):
    """Files of a folder by their path from it, "/" between names; each is read when it is asked for.

    Attributes
    ----------
    faults : what lies in the folder and cannot belong to a bundle, a sentence each: links, pipes, devices, sockets,
        empty or too deep folders, too many files, too many bytes.
    """

    def __init__(self, root: str | os.PathLike):
        self._root = Path(root)
        self._sizes: dict[str, int] = {}
        self.faults: list[str] = []
        try:
            self._list()
        except OSError as err:
            self.faults.append(f"the folder cannot be listed: {err.strerror}")
        self._names = sorted(self._sizes)

    def _list(self) -> None:
        todo, total = [""], 0
        while todo:
            here = todo.pop()
            found = 0
            with os.scandir(self._root / here) as entries:
                for entry in entries:
                    found += 1
                    name = f"{here}/{entry.name}" if here else entry.name
                    info = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(info.st_mode) and name.count("/") < MOST_DEPTH - 1:
                        todo.append(name)
                    elif stat.S_ISREG(info.st_mode):
                        if name == EMPTY_MARK and not info.st_size:
                            continue
                        self._sizes[name] = info.st_size
                        total += info.st_size
                    else:
                        self.faults.append(f"{name}: is {_kind(info.st_mode)}, no file of a bundle")
                    if len(self._sizes) + len(self.faults) + len(todo) > MOST_FILES:
                        self.faults.append(f"more than {MOST_FILES} files")
                        return
                    if total > MOST_BYTES:
                        self.faults.append(f"more than {MOST_BYTES} bytes in all")
                        return
            if here and not found:
                self.faults.append(f"{here}: is an empty folder, no file of a bundle")

    def __getitem__(self, name: str) -> bytes:
        """Raises KeyError where there is no such file, FileFault where it cannot be used."""
        self._sizes[name]
        most = MOST_OF_KIND.get(os.path.splitext(name)[1], MOST_OTHER)
        return read_plain(self._root / name, most)

    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def printable(text: str, most: int = 300) -> str:
    """Other people's text as it may be shown on a terminal: printable ASCII, the rest escaped, cut at `most`."""
    shown = text[:most].encode("unicode_escape").decode("ascii")
    return shown if len(text) <= most else f"{shown}..."
