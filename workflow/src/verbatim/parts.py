"""For scripts only: finished parts of a long job, so that a kill costs one part and not the job.

The parts lie in `<output>.parts/` beside the archive that they will make up, each an archive, tables
and, written last, an empty `.done`. A stamp in that folder names what they were made from; parts of
another stamp are thrown away, never mixed in.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.images import merge_archives, write_archive
from verbatim.records import read_tables, write_table

_WHOLE = 1_000_000  # bytes up to which a file's content is read for its fingerprint


def fingerprint(paths: Iterable[str | os.PathLike]) -> str:
    """Digest of files and folders: small files by content, large ones (weights) by size and time."""
    digest = hashlib.sha256()
    for path in paths:
        root = Path(path)
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        for file in files:
            if not file.exists():  # a hub id
                digest.update(f"{path} is no file\0".encode())
                continue
            stat = file.stat()
            digest.update(f"{file.name}\0{stat.st_size}\0".encode())
            if stat.st_size <= _WHOLE:
                digest.update(file.read_bytes())
            else:
                digest.update(str(stat.st_mtime_ns).encode())
    return digest.hexdigest()


class Parts:
    """The parts of one archive of pictures and of the tables that belong to it.

    Parameters
    ----------
    archive : the archive that the parts make up.
    count : how many parts there are.
    stamp : whatever the parts depend on: settings, a fingerprint of the input files.
    """

    def __init__(self, archive: str | os.PathLike, count: int, **stamp: Any):
        self.archive, self.count = Path(archive), count
        self.folder = Path(f"{archive}.parts")
        wanted = json.dumps({**stamp, "count": count}, sort_keys=True, default=str)
        file = self.folder / "stamp.json"
        if self.folder.exists() and (not file.exists() or file.read_text("utf-8") != wanted):
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            new = file.with_suffix(".new")
            new.write_text(wanted, encoding="utf-8")
            os.replace(new, file)

    def _paths(self, suffix: str) -> list[Path]:
        return [self.folder / f"{part:05d}{suffix}" for part in range(self.count)]

    def unfinished(self) -> list[int]:
        """Which parts still have to be made."""
        return [part for part, path in enumerate(self._paths(".done")) if not path.exists()]

    def write(
        self,
        part: int,
        pictures: Iterable[tuple[str, np.ndarray]],
        tables: dict[str, pd.DataFrame],
    ) -> None:
        """Finish a part: its pictures by member name, its tables by kind."""
        write_archive(self.folder / f"{part:05d}.zip", pictures)
        for kind, table in tables.items():
            write_table(self.folder / f"{part:05d}.{kind}.parquet", kind, table)
        (self.folder / f"{part:05d}.done").touch()

    def table(self, kind: str) -> pd.DataFrame:
        """The tables of one kind of all parts, in order."""
        return read_tables(self._paths(f".{kind}.parquet"), kind)

    def total_cost(self, **names: str) -> pd.DataFrame:
        """The parts' costs summed up, a row a stage that they name; a row of zeros for no part.

        names : stage (for no part), model, preset.
        """
        columns = ["prompts", "unet_rows", "seconds"]
        table = self.table("costs")
        if table.empty:
            total = pd.DataFrame([{**names, **dict.fromkeys(columns, 0)}])
        else:
            total = table.groupby("stage", sort=False)[columns].sum().reset_index()
            total = total.assign(model=names["model"], preset=names["preset"])
        kinds = {"prompts": "int64", "unet_rows": "int64", "seconds": "float64"}
        return total[["stage", "model", *columns, "preset"]].astype(kinds)

    def merge_pictures(self) -> None:
        """Write the whole archive."""
        merge_archives(self.archive, self._paths(".zip"))

    def clear(self) -> None:
        """Throw the parts away, once all outputs are in place."""
        shutil.rmtree(self.folder)
