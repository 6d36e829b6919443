"""Find the files of a source and how they belong together, by their names alone.

| kind of file | name | written by |
|---|---|---|
| embeddings | img_emb/img_emb_N.npy | clip-retrieval; laion2b-en-vit-l-14-embeddings |
| metadata of a shard | metadata/metadata_N.parquet | the same |
| metadata of the set | part-N-<uuid>-c000.snappy.parquet | laion2B-en, ReLAION |
| tables of archives | N.parquet beside N.tar | img2dataset |

Row i of img_emb_N is row i of metadata_N. N may be padded with zeros differently in the two (`img_emb_7.npy`,
`metadata_0007.parquet`): files are matched by number. Tables of another kind are cut differently than
the embeddings (laion2B-en: 128 files, 2,314 shards), so there row i of all embeddings is row i of all tables,
if the totals are equal (`manifest` looks). The global row of an image is its position in all shards in
order of N, so a shard that is missing would shift every row after it: it is an error.

Only names are looked at here, so that the workflow can be planned.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

EMBEDDINGS = re.compile(r"img_emb_(\d{1,9})\.npy")
METADATA = re.compile(r"metadata_(\d{1,9})\.parquet")
PARTS = re.compile(r"part[-_](\d{1,9})(?:[-_.][\w.-]*)?\.parquet")
TABLES = re.compile(r"(\d{1,12})\.parquet")
ARCHIVES = re.compile(r"\d{1,12}\.tar")
JOIN = "|"  # between the tables of one shard in the manifest, where they are cut differently
MOST_NAMED = 20  # file names in one message; the rest is counted


class InputError(ValueError):
    """The inputs cannot be used; the message names the files and the cure."""


@dataclass(frozen=True)
class Source:
    """The files of a source, each kind in order of its numbers.

    embeddings : one a shard; none where there are only tables.
    metadata : tables with captions and addresses of images.
    by_position : row i of all embeddings is row i of all tables; otherwise (and where there are no
        embeddings) the tables are the shards'.
    archives : img2dataset's tars that lie with the tables.
    """

    shards: tuple[str, ...]
    embeddings: tuple[str, ...]
    metadata: tuple[str, ...]
    by_position: bool
    archives: tuple[str, ...] = ()


def shard_name(number: int) -> str:
    """Name of the shard with this number, as it stands in result paths."""
    return f"{number:05d}"


def named(items: Iterable[str]) -> str:
    """A list of names fit for a message: the first of them, and how many more there are."""
    names = list(items)
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _numbers(files: Iterable[str], pattern: re.Pattern[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for file in files:
        match = pattern.fullmatch(Path(file).name)
        if match is None:
            raise InputError(f"{file}: not named like {pattern.pattern}; rename it or take it away")
        number = int(match[1])
        if number in found:
            raise InputError(
                f"{found[number]} and {file} are both shard {number}; take one of them away"
            )
        found[number] = file
    return found


def _gaps(numbers: list[int], what: str) -> list[str]:
    """One sentence for each gap in the numbers; counted between neighbours: a stray nine-digit number costs nothing."""
    problems = []
    for before, after in zip([-1, *numbers], numbers, strict=False):
        if after > before + 1:
            span = str(after - 1) if after == before + 2 else f"{before + 1} to {after - 1}"
            problems.append(f"{what} {span}")
    return problems


def _complete(problems: list[str]) -> None:
    if problems:
        more = len(problems) - MOST_NAMED
        raise InputError(
            "the shards of the inputs are not complete: "
            + "; ".join(problems[:MOST_NAMED])
            + (f"; and {more} more" if more > 0 else "")
            + ". Fetch what is missing, or take the others away and number the rest from 0 without "
            "gaps: a row is known by its position in all shards."
        )


def _pattern_of(tables: list[str]) -> re.Pattern[str]:
    """The kind of these tables: they must be of one."""
    for pattern in (METADATA, PARTS, TABLES):
        if pattern.fullmatch(Path(tables[0]).name):
            return pattern
    raise InputError(
        f"{tables[0]}: named neither like metadata_N.parquet (clip-retrieval), part-N-*.parquet (LAION) nor "
        "N.parquet (img2dataset); rename it or take it away"
    )


def match_files(
    embeddings: Iterable[str], metadata: Iterable[str], archives: Iterable[str] = ()
) -> Source:
    """How these files belong together.

    Raises InputError naming every file without its partner and every gap in the numbers.
    """
    tables = list(metadata)
    if not tables:
        raise InputError("the inputs have no metadata; bring the tables with captions and urls")
    pattern = _pattern_of(tables)
    arrays, by_number = _numbers(embeddings, EMBEDDINGS), _numbers(tables, pattern)
    problems = []
    # img2dataset's tables are embedded here one by one
    same = pattern is TABLES and arrays.keys() == by_number.keys()
    paired = bool(arrays) and (pattern is METADATA or same)
    if paired:
        numbers = sorted(arrays.keys() | by_number.keys())
        alone = [arrays[n] for n in numbers if n not in by_number]
        if alone:
            problems.append(f"embeddings without metadata: {named(alone)}")
        alone = [by_number[n] for n in numbers if n not in arrays]
        if alone:
            problems.append(f"metadata without embeddings: {named(alone)}")
        problems += _gaps(numbers, "neither file of shard")
    else:
        numbers = sorted(arrays or by_number)
        problems += _gaps(sorted(arrays), "no embeddings of shard")
        problems += _gaps(sorted(by_number), "no table of number")
    _complete(problems)
    return Source(
        shards=tuple(shard_name(n) for n in numbers),
        embeddings=tuple(arrays[n] for n in sorted(arrays)),
        metadata=tuple(by_number[n] for n in sorted(by_number)),
        by_position=bool(arrays) and not paired,
        archives=tuple(archives),
    )


def _listed(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def list_files(source: str | Path) -> Source:
    """What a folder holds, whichever of the layouts it has.

    Tables are taken from the first of these that has any: metadata/metadata_N.parquet, part-N*.parquet
    in metadata/ or in the folder itself, N.parquet in the folder itself or in data/.

    Raises InputError if there is no such folder, nothing in it, or if files are missing.
    """
    source = Path(source)
    layouts = (
        "img_emb/img_emb_N.npy with metadata/metadata_N.parquet (clip-retrieval), part-N-*.parquet (LAION), "
        "or N.tar with N.parquet (img2dataset)"
    )
    if not source.is_dir():
        raise InputError(
            f"{source}: no such folder; inputs.source must be `world` or a folder with {layouts}"
        )
    names = {folder: _listed(source / folder) for folder in ("img_emb", "metadata", ".", "data")}

    def matching(folder: str, pattern: re.Pattern[str]) -> list[str]:
        return [str(source / folder / name) for name in names[folder] if pattern.fullmatch(name)]

    arrays = matching("img_emb", EMBEDDINGS)
    choices = [("metadata", METADATA), ("metadata", PARTS), (".", PARTS)]
    choices += [("metadata", TABLES), (".", TABLES), ("data", TABLES)]
    for folder, pattern in choices:
        tables = matching(folder, pattern)
        if tables:
            # tars only where the images are all that could be embedded
            tars = pattern is TABLES and not arrays
            archives = sorted(matching(folder, ARCHIVES)) if tars else []
            if tars and not archives:
                _refuse_other_formats(source / folder, names[folder])
            beside = {Path(tar).stem for tar in archives}
            alone = [table for table in tables if archives and Path(table).stem not in beside]
            if alone:
                raise InputError(f"tables without their archive: {named(alone)}. Fetch the tars")
            return match_files(arrays, tables, archives)
    if arrays:
        raise InputError(
            f"{source}: img_emb has {len(arrays)} files, but there are no tables of captions; bring "
            "the release's metadata/metadata_N.parquet"
        )
    raise InputError(f"{source}: holds none of the layouts: {layouts}; correct inputs.source")


def _refuse_other_formats(folder: Path, names: list[str]) -> None:
    """Name the output format of img2dataset where it is not the one with archives: `files`, `tfrecord`."""
    tables = {Path(name).stem for name in names if TABLES.fullmatch(name)}
    for name in sorted(names):
        form = "tfrecord" if name.endswith(".tfrecord") else ""
        if name in tables and (folder / name).is_dir():
            form = "files"
        if form:
            raise InputError(
                f"{folder}: img2dataset's output format {form!r} ({name}), whose images cannot be read; run img2dataset "
                "with --output_format webdataset"
            )


def list_archives(folder: str | Path) -> list[str]:
    """img2dataset's archives in a folder, sorted; none if there is no folder."""
    names = sorted(name for name in _listed(Path(folder)) if ARCHIVES.fullmatch(name))
    return [str(Path(folder) / name) for name in names]


def archive_folder(source: str | Path) -> str:
    """Where the archives of a source lie: in the folder itself or, as a rule, in `data`."""
    at_top = any(ARCHIVES.fullmatch(name) for name in _listed(Path(source)))
    return str(source) if at_top else str(Path(source) / "data")
