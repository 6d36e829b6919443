"""For scripts only: finished work is kept by prompt, so that it is not repeated after a kill or for a longer list.

Beside a stage's outputs of a model lies a folder `kept/`; in it a folder for every stamp (a digest of
all that the numbers depend on: settings, weights, code), and in that a folder a part:

    kept/in_use                          the stamp that was used last
    kept/<stamp>/stamp.json              what the stamp is a digest of
    kept/<stamp>/<part>/prompts.npy      prompt_ids (n,) int64
    kept/<stamp>/<part>/images.zip       their images, if the stage makes any
    kept/<stamp>/<part>/<kind>.parquet   tables of `records`; `spent` among them
    kept/<stamp>/<part>/.sha256          a digest of each file of the part

A part appears whole or not at all, and is named by its prompts: two jobs that make the same one do no
harm. A part that is not what was written is deleted and made again, and the log says so. A job asks which of its prompts are kept, in whatever shard they were made, makes the others in new
parts, and writes its outputs from the parts. Images are not copied: see `images`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from verbatim.io.atomic import is_temporary, new_folder, remove_stale, write_text
from verbatim.io.image_store import (
    prompt_of,
    read_archive_tables,
    tables_beside,
    write_archive_table,
)
from verbatim.io.images import MISSING, ImageArchive, write_archive
from verbatim.io.records import SCHEMAS, RecordError, read_table, read_tables, write_table
from verbatim.io.seals import (
    DamagedError,
    check_folder,
    is_sealed,
    read_array,
    seal_folder,
    write_array,
)
from verbatim.models.files import walk_files

_WHOLE = 1_000_000  # bytes up to which a file's content is read for its fingerprint
_IN_USE = "in_use"

log = logging.getLogger(__name__)


def fingerprint(paths: Iterable[str | os.PathLike]) -> str:
    """Digest of files and folders, links followed: small files by content, large ones by size and time."""
    digest = hashlib.sha256()
    for path in paths:
        root = Path(path)
        files = [root / name for name in walk_files(root)] if root.is_dir() else [root]
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


def take_shard(table: pd.DataFrame, shard: str, size: int, last: bool) -> pd.DataFrame:
    """Rows of a shard of `size` rows; the `last` that was planned takes all that are left."""
    first = int(shard) * size
    return table.iloc[first : None if last else first + size]


class Kept:
    """What is finished of a job's prompts, and room for the rest.

    Parameters
    ----------
    folder : `kept/` of the stage and model.
    prompts : the job's prompts, with a column prompt_id.
    stamp : whatever the numbers depend on: settings, a fingerprint of weights and code. Not how the
        work is cut up (shards, parts, batches).
    """

    def __init__(self, folder: str | os.PathLike, prompts: pd.DataFrame, **stamp: Any):
        text = json.dumps(stamp, sort_keys=True, default=str, indent=1)
        self.folder = Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:16]
        write_text(self.folder / "stamp.json", text)
        write_text(Path(folder) / _IN_USE, self.folder.name)
        self.prompts = prompts
        self.ids = prompts["prompt_id"].to_numpy(np.int64)
        self._part_of: dict[int, Path] = {}
        for part in sorted(self.folder.iterdir()):
            if not part.is_dir() or is_temporary(part.name):
                continue
            try:
                self._add(part, _read_part(part, self.ids))
            except DamagedError as err:
                log.warning("%s: damaged (%s: %s); it is made again", part, err.path.name, err.why)
                shutil.rmtree(part)

    def _add(self, part: Path, ids: npt.NDArray[np.int64]) -> None:
        for prompt_id in ids[np.isin(ids, self.ids)].tolist():
            self._part_of.setdefault(prompt_id, part)

    def lots(self, size: int) -> list[pd.DataFrame]:
        """The prompts that still have to be made, in their order, `size` at a time."""
        missing = self.prompts[~self.prompts["prompt_id"].isin(list(self._part_of))]
        return [missing.iloc[i : i + size] for i in range(0, len(missing), size)]

    def write(
        self,
        prompts: pd.DataFrame,
        spent: Mapping[str, tuple[npt.ArrayLike, float]],
        tables: dict[str, pd.DataFrame] | None = None,
        images: Iterable[tuple[str, np.ndarray | str]] | None = None,
    ) -> None:
        """Finish a part.

        Parameters
        ----------
        prompts : a lot of `lots`.
        spent : stage -> network rows (n,) of each prompt, or of all together; and seconds together.
            Looked at after the images, so that what makes them may fill it.
        tables : kind -> table with a column prompt_id.
        images : (member name, image, or why there is none).
        """
        ids = prompts["prompt_id"].to_numpy(np.int64)
        part = self.folder / hashlib.sha256(ids.tobytes()).hexdigest()[:16]
        with new_folder(
            part, replace=False
        ) as made:  # another job may have made the same part meanwhile
            if images is not None:
                write_archive(made / "images.zip", images)
            costs = [
                pd.DataFrame({
                    "prompt_id": ids, "stage": stage, "seconds": seconds / len(ids),
                    "unet_rows": np.asarray(rows, np.float64) if np.ndim(rows) else rows / len(ids),  # type: ignore[operator]
                })
                for stage, (rows, seconds) in spent.items()
            ]  # fmt: skip
            for kind, table in {**(tables or {}), "spent": pd.concat(costs)}.items():
                write_table(made / f"{kind}.parquet", kind, table)
            write_array(made / "prompts.npy", ids)
            seal_folder(made)
        self._add(part, ids)

    def table(self, kind: str) -> pd.DataFrame:
        """The tables of one kind of all the job's prompts, in their order."""
        own: dict[Path, list[int]] = {}
        for prompt_id in self.ids.tolist():
            own.setdefault(self._part_of[prompt_id], []).append(prompt_id)
        tables = [] if own else [SCHEMAS[kind].empty_table().to_pandas()]
        for part, ids in own.items():
            table = read_table(part / f"{kind}.parquet", kind)
            tables.append(table[table["prompt_id"].isin(ids)])
        whole = pd.concat(tables, ignore_index=True)
        place = whole["prompt_id"].map(pd.Series(np.arange(len(self.ids)), index=self.ids))
        return whole.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)

    def cost(self, stage: str, model: str, preset: str) -> pd.DataFrame:
        """What the prompts cost when they were made, a `costs` row a stage; zeros for no prompt."""
        total = self.table("spent").groupby("stage", sort=False)[["unet_rows", "seconds"]].sum()
        total = total.reset_index()
        if total.empty:
            total = pd.DataFrame([{"stage": stage, "unet_rows": 0.0, "seconds": 0.0}])
        total["unet_rows"] = total["unet_rows"].round().astype("int64")
        return total.assign(prompts=len(self.ids), model=model, preset=preset)

    def missing_images(self) -> list[str]:
        """Names of the images of the job's prompts that are recorded as missing."""
        found: list[str] = []
        for part in sorted(set(self._part_of.values())):
            with ImageArchive(part / "images.zip") as archive:
                ids = {key for key, place in self._part_of.items() if place == part}
                found += [n for n in archive.names() if n.endswith(MISSING) and prompt_of(n) in ids]
        return found

    def write_archives(self, path: str | os.PathLike) -> None:
        """Write the `archives` table of the prompts."""
        rows = [(key, self._part_of[key] / "images.zip") for key in self.ids.tolist()]
        write_archive_table(path, rows)


def merge_costs(paths: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """`costs` tables of shards as one, summed up by stage, model and preset."""
    keys, sums = ["stage", "model", "preset"], ["prompts", "unet_rows", "seconds"]
    return read_tables(paths, "costs").groupby(keys, sort=False, as_index=False)[sums].sum()


def check_prompts(
    found: npt.ArrayLike, wanted: npt.ArrayLike, where: str, name: str | os.PathLike
) -> None:
    """The shards hold each prompt that is wanted once, and no other.

    Parameters
    ----------
    found : prompt_ids of all shards. wanted : those of the table `where`.
    name : the output that cannot be made otherwise.

    Raises
    ------
    RecordError : naming a prompt and the cure.
    """
    have, asked = np.sort(np.asarray(found)), np.sort(np.asarray(wanted))
    if np.array_equal(have, asked):
        return
    twice, lacking = have[1:][have[1:] == have[:-1]], np.setxor1d(have, asked)
    what = f"prompt_id {twice[0]} ({len(twice)} in all) is in two shards" if len(twice) else ""
    if len(lacking):
        what = f"prompt_id {lacking[0]} ({len(lacking)} in all) is only in one of {where} and the shards"
    raise RecordError(f"{name}: {what}; delete the shards and run again")


def _read_part(part: Path, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """prompt_ids of a part; all of its files are checked if it holds any of the wanted ones.

    Raises
    ------
    DamagedError
        If it is not what was written: a file is missing, cut or changed.
    """
    try:
        ids = read_array(part / "prompts.npy")
    except FileNotFoundError as err:
        raise DamagedError(part / "prompts.npy", "no such file") from err
    if np.isin(ids, wanted).any():
        check_folder(part)
        if not is_sealed(part):  # written without a checksum
            for table in part.glob("*.parquet"):
                read_table(table, table.stem)
            if (part / "images.zip").exists():
                with ImageArchive(part / "images.zip") as archive:
                    archive.check()
    return ids


def prune(folder: str | os.PathLike) -> list[str]:
    """Delete the stamps that nothing needs, and what killed jobs left; the names of the stamps.

    A stamp is needed if it was used last, or if an `archives` table of the stage and model names a part of it:
    their own one beside `folder`, or a shard's. For the rule that has put all shards together. Nothing is deleted
    where it is not known which stamp was used last.

    Parameters
    ----------
    folder : `kept/` of a stage and model.
    """
    folder = Path(folder)
    remove_stale(folder)
    try:
        needed = {(folder / _IN_USE).read_text("utf-8")}
    except FileNotFoundError:
        return []
    tables = [t for t in tables_beside(folder.parent / "images.parquet") if t.exists()]
    for table in tables:
        needed |= {archive.parents[1].name for archive in read_archive_tables([table]).values()}
    gone = [
        stamp.parent for stamp in folder.glob("*/stamp.json") if stamp.parent.name not in needed
    ]
    for path in gone:
        shutil.rmtree(path)
    return sorted(path.name for path in gone)
