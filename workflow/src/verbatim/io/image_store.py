"""Images of one stage and model in many archives, found by prompt.

Half a million generations are 200 GB: they stay in the archives that they were made in, and an `archives`
table says in which one each prompt's images are.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.io.atomic import new_file
from verbatim.io.images import ImageArchive, generation_name
from verbatim.io.records import read_table, write_table
from verbatim.io.seals import DamagedError, seal_zip

_OPEN = 32  # archives that stay open


def prompt_of(name: str) -> int:
    """prompt_id of a member that `images.generation_name` or `one_step_name` named; -1: of none."""
    key = name.partition(".")[0].partition("_")[0]
    return int(key) if key.isdecimal() else -1


def write_archive_table(path: str | os.PathLike, rows: list[tuple[int, Path]]) -> None:
    """Write an `archives` table; paths are relative to its folder, so that results can be moved.

    rows : (prompt_id, the archive with its images).
    """
    base = Path(path).parent
    relative = {file: os.path.relpath(file, base) for file in {file for _, file in rows}}
    ids = pd.Series([key for key, _ in rows], dtype="int64")
    archives = pd.Series([relative[file] for _, file in rows], dtype=str)
    write_table(path, "archives", pd.DataFrame({"prompt_id": ids, "archive": archives}))


def read_archive_tables(tables: Iterable[str | os.PathLike]) -> dict[int, Path]:
    """prompt_id -> the archive with its images, of several `archives` tables in their order."""
    rows: dict[int, Path] = {}
    for table in tables:
        found, base = read_table(table, "archives"), Path(table).parent
        files = {name: Path(os.path.normpath(base / name)) for name in found["archive"].unique()}
        rows |= {
            key: files[name]
            for key, name in zip(found["prompt_id"].tolist(), found["archive"], strict=True)
        }
    return rows


def merge_archive_tables(path: str | os.PathLike, tables: Iterable[str | os.PathLike]) -> None:
    """Put `archives` tables of several folders together, in their order."""
    write_archive_table(path, list(read_archive_tables(tables).items()))


def tables_beside(table: Path) -> list[Path]:
    """An `archives` table, and those of the shards of its stage and model."""
    stage = table.parent.parent if table.parent.name == "shards" else table.parent
    return [table, *sorted((stage / "shards").glob("*.images.parquet"))]


class Images:
    """Reads images by member name from all the archives that `archives` tables name.

    An archive that is missing or damaged raises DamagedError, whose cure makes its prompts anew and no others.
    """

    def __init__(self, *tables: str | os.PathLike):
        self._tables = [Path(table) for table in tables]
        self._archive_of = read_archive_tables(tables)
        self._open: OrderedDict[Path, ImageArchive] = OrderedDict()

    @property
    def prompt_ids(self) -> list[int]:
        """The prompts that the tables name, in their order."""
        return list(self._archive_of)

    def _archive(self, prompt_id: int) -> ImageArchive:
        """Raises KeyError where no table names the prompt."""
        path = self._archive_of[prompt_id]
        if path not in self._open:
            if len(self._open) == _OPEN:
                self._open.popitem(last=False)[1].close()
            with self._cured():
                self._open[path] = ImageArchive(path)
        self._open.move_to_end(path)
        return self._open[path]

    def names(self) -> list[str]:
        """Every member of the prompts that the tables name: by prompt in their order."""
        members: dict[Path, dict[int, list[str]]] = {}
        found: list[str] = []
        for key, path in self._archive_of.items():
            if path not in members:
                members[path] = {}
                for name in self._archive(key).names():
                    members[path].setdefault(prompt_of(name), []).append(name)
            found += members[path].get(key, [])
        return found

    def __contains__(self, name: str) -> bool:
        key = prompt_of(name)
        return key in self._archive_of and name in self._archive(key)

    def has_seeds(self, prompt_id: int, seeds: Iterable[int]) -> bool:
        """Whether there is a generation of a prompt for each of these seeds."""
        return all(generation_name(prompt_id, seed) in self for seed in seeds)

    def read(self, name: str) -> np.ndarray:
        """As `ImageArchive.read`: KeyError if there is no such member, ImageError if it cannot be used."""
        archive = self._archive(prompt_of(name))
        with self._cured():
            return archive.read(name)

    def read_bytes(self, name: str) -> bytes:
        """As `ImageArchive.read_bytes`."""
        archive = self._archive(prompt_of(name))
        with self._cured():
            return archive.read_bytes(name)

    @contextlib.contextmanager
    def _cured(self) -> Iterator[None]:
        """Name what has to be deleted so that a damaged part is made again: it, and the shards' tables that name it."""
        try:
            yield
        except DamagedError as err:
            kept = (err.path.parent.parent / "stamp.json").exists()  # see `parts`
            part = err.path.parent if kept else err.path
            named = [
                table
                for table in dict.fromkeys(t for one in self._tables for t in tables_beside(one))
                if err.path in read_archive_tables([table]).values()
            ]
            words = shlex.join(map(str, [part, *named]))
            raise DamagedError(
                err.path,
                err.why,
                f"run `rm -rf {words}` and the same command again: its prompts are made again",
            ) from err

    def merge(self, path: str | os.PathLike) -> None:
        """Put all of them into one archive, byte for byte; whole or not at all."""
        with new_file(path) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for name in self.names():
                    archive.writestr(zipfile.ZipInfo(name), self.read_bytes(name))
            seal_zip(temporary)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> Images:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
