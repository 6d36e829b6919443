"""Images of a closed system, which cannot be run: a folder of images and a manifest.

Webster 2023, section 4: Midjourney's images were made on its site and labelled like all others. A
manifest is a table with one row for each image: file, prompt and, if known, seed, steps and why it is missing. People write such lists
by hand, so a fault of a row is recorded as the state of that row. Nothing is guessed, and nothing is left out without
a record. A name can only lead to a file inside the folder.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.io.formats import IMAGES
from verbatim.io.images import MAX_BYTES, ImageError, decode_image
from verbatim.io.records import prompt_id
from verbatim.io.user_tables import MANIFEST, UserTableError, read_user_table, whole_number

NEEDED = ("file", "prompt")
LARGEST = 2**31 - 1  # of a seed that is a key in our tables (int32)


class GenerationsError(ValueError):
    """A manifest cannot be used; the message names the file, the column or the row, and the cure."""


def read_manifest(path: str | os.PathLike, may_be_empty: bool = False) -> pd.DataFrame:
    """Rows of a manifest as written: file, prompt, seed, steps, reason, all text, "" where there is nothing.

    may_be_empty : whether a file of no bytes is a manifest without rows, as an endpoint leaves it that was asked for nothing.

    Raises GenerationsError for a file that cannot be read, lacks a column or has no rows.
    """
    if may_be_empty and Path(path).stat().st_size == 0:
        return pd.DataFrame(columns=list(MANIFEST), dtype=str)
    try:
        table = read_user_table(path, MANIFEST, NEEDED)
    except UserTableError as err:
        raise GenerationsError(
            f"{err}. A manifest has the columns file and prompt, and may have seed and steps; name its folder as source "
            "in the models sheet"
        ) from err
    if table.frame.empty:
        raise GenerationsError(f"{path}: it has no rows; write one an image")
    for column in MANIFEST:
        if column not in table.frame:
            table.frame[column] = ""
    return table.frame[list(MANIFEST)].fillna("")


def find_file(folder: Path, name: str) -> Path:
    """The file that a manifest's name means.

    Raises GenerationsError for a name that leads out of the folder: absolute, with "..", or by a link.
    """
    if not name.strip():
        raise GenerationsError("no file name")
    parts = name.replace("\\", "/").split("/")
    if Path(name).is_absolute() or "" in parts[:1] or ".." in parts or ":" in parts[0]:
        raise GenerationsError("the name leads out of the folder")
    if not name.isprintable():
        raise GenerationsError("the name has characters that cannot be printed")
    path = _look_up(folder.joinpath(*parts))
    if not path.resolve().is_relative_to(folder.resolve()):
        raise GenerationsError("a link that leads out of the folder")
    return path


def _plain(name: str) -> str:
    """A file's name without what systems differ in: capitals, and how accents are written."""
    return unicodedata.normalize("NFC", name).casefold()


@lru_cache(maxsize=64)
def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _look_up(path: Path) -> Path:
    """This file; where there is none, the one file of its folder whose name is the same but for its letters' form,
    or, for a name without a suffix, but for its suffix.

    Raises GenerationsError if several are.
    """
    if path.exists():
        return path
    names = _names(path.parent)
    found = [name for name in names if _plain(name) == _plain(path.name)]
    if not found and path.suffix.lower() not in IMAGES:
        found = [
            name
            for name in names
            if Path(name).suffix.lower() in IMAGES and _plain(Path(name).stem) == _plain(path.name)
        ]
    if len(found) > 1:
        raise GenerationsError(
            f"{found[0]!r} and {found[1]!r} may both be meant; write the whole name"
        )
    return path.with_name(found[0]) if found else path


def read_image(folder: Path, name: str) -> np.ndarray:
    """Image (h, w, 3) of a manifest's name, float32 in [0, 1].

    Raises FileNotFoundError, GenerationsError (see `find_file`) and ImageError.
    """
    path = find_file(folder, name)
    if not path.is_file():
        raise FileNotFoundError("no such file")
    if path.stat().st_size > MAX_BYTES:
        raise ImageError(f"{path.stat().st_size} bytes, more than {MAX_BYTES}")
    return decode_image(path.read_bytes())


def plan_images(manifest: pd.DataFrame) -> pd.DataFrame:
    """A `generations` table of a manifest, before any image is read: status "" where one is to be.

    A row without a prompt is refused; one that repeats prompt and file is a duplicate. `seed` is the
    manifest's where all images of the prompt have one of their own that fits; else they are
    numbered 0, 1, ... in order (a grid of four images has one seed), and `given_seed` keeps what
    was said.

    manifest : from `read_manifest`.
    """
    table = pd.DataFrame({"caption": manifest["prompt"], "file": manifest["file"]})
    blank = table["caption"].str.strip().eq("")
    ids = [-1 if b else prompt_id(c) for c, b in zip(table.caption, blank)]  # noqa: B905
    table["prompt_id"] = np.array(ids, np.int64)
    for column, name in (("given_seed", "seed"), ("steps", "steps")):
        numbers = [-1 if (n := whole_number(text)) is None else n for text in manifest[name]]
        table[column] = pd.Series(numbers, table.index, dtype=None if numbers else "int64")
    table["status"], table["reason"] = "", ""
    again = ~blank & table.duplicated(["prompt_id", "file"])
    table.loc[blank, ["status", "reason"]] = ["refused", "no prompt"]
    table.loc[again, ["status", "reason"]] = ["duplicate", "the same file and prompt again"]
    table["seed"] = -1
    for _, group in table[table["status"].eq("")].groupby("prompt_id", sort=False):
        given = group["given_seed"]
        usable = given.between(0, LARGEST).all() and given.is_unique
        table.loc[group.index, "seed"] = given if usable else np.arange(len(group))
    return table


def captions_without_row(generations: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """The manifest's captions that no prompt of dedup's gives a row, to be looked for in the data.

    Returns
    -------
    prompt_id, caption (unique), url (""), as `authors.find_rows` takes them.
    """
    table = generations.loc[generations["prompt_id"].ge(0), ["prompt_id", "caption"]]
    known = prompts.loc[prompts["row"].ge(0), "prompt_id"]
    table = table[~table["prompt_id"].isin(known)].drop_duplicates("prompt_id")
    return table.assign(url="").reset_index(drop=True)


def select_prompts(
    generations: pd.DataFrame, prompts: pd.DataFrame, reasons: Mapping[str, Iterable[int]]
) -> pd.DataFrame:
    """The prompts of a closed system that are labelled: a `selection` table, in the manifest's order.

    A prompt whose caption is in the data brings its training row, with which its image is compared; any
    other has none (-1), and its copies are found by retrieval. All count in Table 1.

    Parameters
    ----------
    generations : a `generations` table. prompts : prompt_id, row of what is known; the first of a prompt holds.
    reasons : word for `why` -> prompt_ids to keep to; none keeps to all.
    """
    table = generations.loc[generations["prompt_id"].ge(0), ["prompt_id", "caption"]]
    table = table.drop_duplicates("prompt_id").reset_index(drop=True)
    rows = prompts.drop_duplicates("prompt_id").set_index("prompt_id")["row"]
    table["row"] = table["prompt_id"].map(rows).fillna(-1).astype("int64")
    table["extra"] = False
    wanted: dict[str, set[int]] = {word: set(map(int, ids)) for word, ids in reasons.items()}
    why: list[str] = []
    for key in table["prompt_id"]:
        why.append(",".join(word for word, ids in wanted.items() if key in ids))
    table["why"] = why if wanted else "manifest"
    return table[table["why"].ne("")].reset_index(drop=True)


def finish(planned: pd.DataFrame, read: Mapping[int, tuple[str, str]]) -> pd.DataFrame:
    """The planned table with (status, reason) of each row that was read.

    Raises GenerationsError if not one image could be.
    """
    table = planned.copy()
    for index, (status, reason) in read.items():
        table.loc[index, ["status", "reason"]] = [status, reason]
    if len(table) and not table["status"].eq("ok").any():
        counts = table["status"].value_counts().to_dict()
        said = table["reason"].iloc[0]
        raise GenerationsError(f"no image can be used: {counts}; the first row: {said}")
    return table
