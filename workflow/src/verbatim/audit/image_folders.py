"""A user's folder of images with their captions, in the layouts that people keep.

| layout | captions |
|---|---|
| Hugging Face imagefolder | `metadata.csv`, `.tsv`, `.jsonl` or `.parquet` beside the images; `file_name` relative to it |
| kohya | a `.caption` or `.txt` beside each image, its first line; else the class of a folder `10_class` |
| img2dataset | `00000.tar` with `00000.parquet`, or its files with a `.txt` each |
| a table | any CSV, TSV, JSON lines or Parquet file that names files of the folder |

Names are looked up among the files that are there and never put together into a path: a table cannot name a file outside
the folder. What is wrong with one image is recorded with it, and the rest goes on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from verbatim.io.columns import AUDIT
from verbatim.io.formats import IMAGES
from verbatim.io.plain_files import LineSource
from verbatim.io.user_tables import UserTable, UserTableError, read_user_table

TABLES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet")
SIDECARS = (".caption", ".txt")  # kohya's default, and what most people write
REPEATS = re.compile(r"\d+_(.+)")  # kohya: repeats and class of a folder
YES, NO = ("yes", "true", "1", "y"), ("no", "false", "0", "n", "")
MOST_IMAGES = 1_000_000  # ASSUME: a hundred times the largest audit that is planned for
CURE = (
    "write a metadata.csv with the columns file_name and text into the folder, or a .txt with the caption beside each "
    "image, or name a table of captions (audit.captions, `make audit CAPTIONS=captions.csv`); where the model's training data "
    "are inputs.source, audit.captions: nearest takes the captions of the nearest training images"
)


class AuditInputError(ValueError):
    """The folder cannot be audited as it is; the message names it and the cure."""


@dataclass(frozen=True)
class Entry:
    """An image of the folder and what is said of it.

    name : path in the folder, or archive!key. path : file, or its tar. member : key in the tar; "" for a file.
    caption : None where nobody gave one. reason : why it cannot be tested; "" if nothing is wrong so far.
    """

    name: str
    path: Path
    member: str = ""
    caption: str | None = None
    owner: str = ""
    control: bool = False
    url: str = ""
    reason: str = ""


def list_images(folder: str | os.PathLike) -> list[Path]:
    """Every file of the folder and its subfolders that has an image's suffix, in order; hidden ones are left out.

    Raises AuditInputError if there is no such folder, or too much in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AuditInputError(
            f"{folder}: no such folder; name the folder of your images (audit.images)"
        )
    found: list[Path] = []
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(base, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGES
        ]
        if len(found) > MOST_IMAGES:
            raise AuditInputError(
                f"{folder}: more than {MOST_IMAGES:,} images; audit a part of them"
            )
    return found


def list_archives(folder: str | os.PathLike) -> list[tuple[Path, Path]]:
    """img2dataset's tars at the top of the folder with their tables, in order."""
    pairs = [(tar, tar.with_suffix(".parquet")) for tar in sorted(Path(folder).glob("*.tar"))]
    return [(tar, table) for tar, table in pairs if table.is_file()]


def count_planned(folder: str | os.PathLike) -> int:
    """How many images the folder has at most, without reading them: for the plan of jobs."""
    from verbatim.io.user_tables import count_rows

    archived = sum(count_rows(table) for _, table in list_archives(folder))
    return len(list_images(folder)) + archived


def read_folder(
    folder: str | os.PathLike, captions: str | os.PathLike = "", need_captions: bool = True
) -> list[Entry]:
    """Every image of a folder with its caption, owner, control and url.

    Parameters
    ----------
    captions : a table that names files of the folder; what it says goes before what the folder says. "": none.
    need_captions : whether a folder without any caption is an error; a single image without one is recorded as such.

    Raises
    ------
    AuditInputError
        No folder, no images, or no caption at all; the message says what to do.
    UserTableError
        A table cannot be read, names a file twice, or a cell of `control` is neither yes nor no.
    """
    folder = Path(folder)
    files = list_images(folder)
    entries = {
        path.relative_to(folder).as_posix(): Entry(path.relative_to(folder).as_posix(), path)
        for path in files
    }
    for path in files:
        if path.parent.name and (found := REPEATS.fullmatch(path.parent.name)):
            name = path.relative_to(folder).as_posix()
            entries[name] = replace(entries[name], caption=found[1].replace("_", " "))
    _add_sidecars(folder, entries)
    for tar, table in list_archives(folder):
        entries |= {one.name: one for one in _of_archive(folder, tar, table)}
    if not entries:
        raise AuditInputError(
            f"{folder}: no images; JPEG, PNG and WebP files are read, and img2dataset's tars beside their Parquet files"
        )
    for base in sorted({folder, *(path.parent for path in files)}):
        for name in TABLES:
            if (base / name).is_file():
                _add_table(base / name, entries, base.relative_to(folder).as_posix())
    if captions:
        _add_table(Path(captions), entries, ".")
    if need_captions and all(one.caption is None for one in entries.values()):
        raise AuditInputError(
            f"{folder}: none of its {len(entries):,} images has a caption, and a model is asked by caption; {CURE}"
        )
    return [_checked(one) for _, one in sorted(entries.items())]


def _checked(entry: Entry) -> Entry:
    """An entry with the reason why it cannot be asked for, if its caption says nothing."""
    if entry.reason:
        return entry
    if entry.caption is None:
        return replace(entry, reason=f"no caption; {CURE}")
    if not entry.caption.strip():
        return replace(entry, reason="its caption is empty; write what the image shows")
    return replace(entry, caption=" ".join(entry.caption.split()))


def _add_sidecars(folder: Path, entries: dict[str, Entry]) -> None:
    for name, one in entries.items():
        for suffix in SIDECARS:
            file = one.path.with_suffix(suffix)
            if file.is_file():
                try:
                    first = next(iter(LineSource(file)), "")
                except UserTableError as err:
                    entries[name] = replace(one, reason=f"its caption cannot be read: {err}")
                else:
                    entries[name] = replace(one, caption=first.rstrip("\r\n"))
                break


def _of_archive(folder: Path, tar: Path, table: Path) -> Iterator[Entry]:
    """Entries of one tar of img2dataset, by its table; a row that was not fetched has none."""
    told = read_user_table(table, AUDIT, ["file"]).without_empty_rows()
    for i, row in enumerate(told.frame.to_dict("records")):
        status = row.get("status") or "success"
        if row["file"] is None or status != "success":
            continue
        key = str(row["file"])
        name = f"{tar.relative_to(folder).as_posix()}!{key}"
        yield _told(Entry(name, tar, member=key), row, told, i)


def _add_table(path: Path, entries: dict[str, Entry], base: str) -> None:
    """Put what a table says into the entries that it names; a file that is not there becomes an entry with a reason."""
    table = read_user_table(path, AUDIT, ["file"]).without_empty_rows()
    if not {"caption", "owner", "control", "url"} & set(table.frame.columns):
        raise UserTableError(
            f"{path}: no column text, owner, control or url; it has {', '.join(table.names)}; name it so"
        )
    by_last: dict[str, list[str]] = {}
    for name in entries:
        by_last.setdefault(name.rpartition("/")[2].rpartition("!")[2], []).append(name)
    seen: dict[str, int] = {}
    for i, row in enumerate(table.frame.to_dict("records")):
        if row["file"] is None:
            raise UserTableError(f"{table.where(i)}: no file is named; name one, or delete the row")
        name = _find(str(row["file"]), base, entries, by_last)
        if name in seen:
            raise UserTableError(
                f"{table.where(i)}: {row['file']!r} is named by {table.where(seen[name])} too; keep one of them"
            )
        seen[name] = i
        one = entries.get(name) or Entry(name, path, reason=f"no such file in {path.parent}")
        entries[name] = _told(one, row, table, i)


def _find(
    file: str, base: str, entries: Mapping[str, Entry], by_last: Mapping[str, list[str]]
) -> str:
    """Name of the entry that a table's cell means: its path from the table, or its last part if only one file has it."""
    asked = PurePosixPath(file.replace("\\", "/"))
    name = (PurePosixPath(base) / asked).as_posix()
    if name in entries:
        return name
    same = by_last.get(asked.name, [])
    return same[0] if len(same) == 1 else name


def _told(entry: Entry, row: Mapping[Any, Any], table: UserTable, i: int) -> Entry:
    """An entry with what a row says of it; an empty cell says nothing."""
    said = {key: str(row[key]) for key in ("caption", "owner", "url") if row.get(key) is not None}
    control = entry.control
    if row.get("control") is not None:
        word = str(row["control"]).strip().lower()
        if word not in (*YES, *NO):
            raise UserTableError(
                f"{table.where(i)}: control is {row['control']!r}; write yes for an image that the model cannot have "
                "seen, no for any other"
            )
        control = word in YES
    return replace(entry, control=control, **said)  # type: ignore[arg-type]  # texts alone
