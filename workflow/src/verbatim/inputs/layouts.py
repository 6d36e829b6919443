"""Which files a source has and how they belong together: clip-retrieval's embeddings, img2dataset's tars.

clip-retrieval writes `img_emb/img_emb_N.npy` beside `metadata/metadata_N.parquet`; row i of the one
is row i of the other. N may be padded with zeros differently in the two (`img_emb_7.npy`,
`metadata_0007.parquet`): files are matched by number. The global row of a picture is its position in
all shards in order of N, so a shard that is missing would shift every row after it: it is an error.

Only names are looked at here, so that the workflow can be planned; `manifest` looks into the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

EMBEDDINGS = re.compile(r"img_emb_(\d{1,9})\.npy")
METADATA = re.compile(r"metadata_(\d{1,9})\.parquet")
ARCHIVES = re.compile(r"\d{1,12}\.tar")
MOST_NAMED = 20  # file names in one message; the rest is counted


class InputError(ValueError):
    """The inputs cannot be used; the message names the files and the cure."""


@dataclass(frozen=True)
class ShardFiles:
    """The two files of one shard."""

    shard: str  # five digits or more: the number in the files' names
    embeddings: str
    metadata: str


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


def match_files(embeddings: Iterable[str], metadata: Iterable[str]) -> list[ShardFiles]:
    """Pair embedding and metadata files by their number, in order.

    Raises InputError naming every file without its partner and every gap in the numbers.
    """
    arrays, tables = _numbers(embeddings, EMBEDDINGS), _numbers(metadata, METADATA)
    numbers = sorted(arrays.keys() | tables.keys())
    problems = []
    alone = [arrays[n] for n in numbers if n not in tables]
    if alone:
        problems.append(f"embeddings without metadata: {named(alone)}")
    alone = [tables[n] for n in numbers if n not in arrays]
    if alone:
        problems.append(f"metadata without embeddings: {named(alone)}")
    # counted from gaps between neighbours, so that a stray number of nine digits costs nothing
    for before, after in zip([-1, *numbers], numbers, strict=False):
        if after > before + 1:
            span = str(after - 1) if after == before + 2 else f"{before + 1} to {after - 1}"
            problems.append(f"neither file of shard {span}")
    if problems:
        raise InputError(
            "the shards of the inputs are not complete: "
            + "; ".join(problems[:MOST_NAMED])
            + ". Fetch what is missing, or take the others away and number the rest from 0 without "
            "gaps: a row is known by its position in all shards."
        )
    return [ShardFiles(shard_name(n), arrays[n], tables[n]) for n in numbers]


def list_files(source: str | Path) -> list[ShardFiles]:
    """The shards of a folder in clip-retrieval's layout, in order of their rows.

    Raises InputError if there is no such folder, nothing in it, or if files are missing.
    """
    source = Path(source)
    found = []
    for folder, pattern in (("img_emb", EMBEDDINGS), ("metadata", METADATA)):
        try:
            names = [p for p in (source / folder).iterdir() if pattern.fullmatch(p.name)]
        except (FileNotFoundError, NotADirectoryError) as err:
            raise InputError(
                f"{source / folder}: no such folder; inputs.source must be `world` or a folder with "
                "img_emb/img_emb_N.npy and metadata/metadata_N.parquet (clip-retrieval's layout)"
            ) from err
        if not names:
            raise InputError(
                f"{source / folder}: no file named like {pattern.pattern}; inputs.source must be a "
                "folder in clip-retrieval's layout"
            )
        found.append([str(p) for p in names])
    return match_files(*found)


def list_archives(folder: str | Path) -> list[str]:
    """img2dataset's archives in a folder, sorted; none if there is no folder."""
    try:
        paths = sorted(p for p in Path(folder).iterdir() if ARCHIVES.fullmatch(p.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [str(path) for path in paths]
