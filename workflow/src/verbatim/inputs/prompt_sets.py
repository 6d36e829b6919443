"""Published sets of memorized prompts and their negatives, read from the user's disk as they were published.

Layouts are told by the reader of users' tables: JSON lines, tables with commas or semicolons, Parquet, one
prompt a line. See workflow/docs/prompt_sets.md for who published what.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.inputs.matched_negatives import (
    SAME_SUBJECT,
    SAME_TEMPLATE,
    match_subjects,
    match_templates,
    unlisted_captions,
)
from verbatim.io.columns import PROMPT_SET
from verbatim.io.keys import prompt_id
from verbatim.io.user_tables import UserTableError, read_user_table

PUBLISHED = "published"
DOCUMENT = "workflow/docs/prompt_sets.md"
COLUMNS = (
    "set", "side", "source", "prompt_id", "caption", "match", "overlap", "images", "type", "file", "place", "status",
    "reason",
)  # fmt: skip


class PromptSetError(ValueError):
    """A published set cannot be used; the message names the set, the file and the cure."""


@dataclass(frozen=True)
class SetSettings:
    """How sets are read and matched.

    shortest, longest : characters of a prompt. most_missing : share of a file's rows that may be unusable.
    family : Jaccard index of near-duplicates. length : see `match_subjects`. most_pool : captions of the
    training data that negatives are looked for among, drawn with `seed`.
    """

    shortest: int
    longest: int
    most_missing: float
    family: float
    length: float
    most_pool: int
    seed: int


def read_side(where: str, side: Mapping[str, Any], settings: SetSettings) -> pd.DataFrame:
    """The prompts of one side of a set: caption, images, type, file, place, status (ok, repeated, unusable), reason.

    Parameters
    ----------
    where : key of the config, for messages
    side : files; types (rows of these published types alone; empty: all); rows ([first, behind the last] of
        each file, from 0; empty: all)

    Raises
    ------
    PromptSetError : a file cannot be read, has no row of a type, or more of its prompts are unusable than
        `most_missing`
    """
    parts = [_read_file(where, file, side, settings) for file in side["files"]]
    table = pd.concat(parts, ignore_index=True)
    repeated = table["status"].eq("ok") & table["caption"].where(
        table["status"].eq("ok")
    ).duplicated().to_numpy(bool)
    table.loc[repeated, "status"] = "repeated"
    table.loc[repeated, "reason"] = "the same text stands before it"
    return table


def _read_file(
    where: str, file: str, side: Mapping[str, Any], settings: SetSettings
) -> pd.DataFrame:
    types, rows = list(side.get("types", [])), list(side.get("rows", []))
    required = ["caption", "type"] if types else ["caption"]
    try:
        read = read_user_table(file, PROMPT_SET, required, lines_of="caption")
    except UserTableError as err:
        raise PromptSetError(f"config: {where}.files: {err}. See {DOCUMENT}") from err
    if types and "type" not in read.frame:
        raise PromptSetError(
            f"config: {where}.types is {types}, but {file} has one prompt a line and no types; empty it"
        )
    frame = read.frame.reindex(columns=list(PROMPT_SET)).astype(object)
    frame = frame.where(frame.notna(), "").assign(file=file, place=read.places)
    frame["images"] = ["\n".join(image_keys(url)) for url in frame.pop("url")]
    if rows:
        frame = frame.iloc[rows[0] : rows[1]]
    if types:
        known = sorted(set(frame["type"].str.strip()))
        frame = frame[frame["type"].str.strip().isin(types)]
        if frame.empty:
            raise PromptSetError(
                f"config: {where}.types is {types}, but {file} has only the types {known}; name some of these"
            )
    if frame.empty:
        raise PromptSetError(
            f"config: {where}: {file} has {len(read.frame)} prompts, and none of them is in rows {rows or 'at all'}"
        )
    return _judge(where, frame.reset_index(drop=True), settings)


def _judge(where: str, table: pd.DataFrame, settings: SetSettings) -> pd.DataFrame:
    """Adds status and reason; ends where most prompts are unusable."""
    length = table["caption"].str.strip().str.len()
    usable = length.between(max(1, settings.shortest), settings.longest)
    reason = length.map(
        lambda n: f"{n} characters; dedup.min_caption_chars, dedup.max_caption_chars"
    )
    table = table.assign(
        status=np.where(usable, "ok", "unusable"), reason=reason.where(~usable, "").astype(object)
    )
    if (~usable).mean() > settings.most_missing:
        first = table[~usable].iloc[0]
        raise PromptSetError(
            f"config: {where}: {int((~usable).sum())} of {len(table)} prompts of {first['file']} cannot be used, more than "
            f"inputs.most_missing; the first is at line or row {first['place']}: {first['reason']}. Is it the right "
            "column and file?"
        )
    return table


def image_keys(url: str) -> tuple[str, ...]:
    """Addresses of a prompt's images: one address, or a list of them written as Python does."""
    text = url.strip()
    if text.startswith("["):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            found = [text]
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return tuple(dict.fromkeys(one for one in found if one))
    return (text,) if text else ()


def build_set(name: str, block: Mapping[str, Any], settings: SetSettings) -> pd.DataFrame:
    """The `prompt_sets` table of one set: its published sides, and negatives matched to its positives.

    A caption on both sides has the status `both` on either: it is a memorized prompt and none. It takes part in no
    comparison.

    Parameters
    ----------
    name : of the set
    block : positives, and negatives and pool if there are any; each as `read_side` takes it

    Raises
    ------
    PromptSetError : see `read_side`; or no positive is left
    """
    where = f"prompt_sets.sets.{name}"
    sides = [
        read_side(f"{where}.{key}", block[key], settings).assign(side=side)
        for key, side in (("positives", "positive"), ("negatives", "negative"))
        if key in block
    ]
    table = pd.concat(sides, ignore_index=True).assign(source=PUBLISHED, match=-1, overlap=np.nan)
    ok = table["status"].eq("ok")
    both = ok & (table["caption"].where(ok).groupby(table["caption"]).transform("count") > 1)
    table.loc[both, ["status", "reason"]] = ["both", "the same text is on both sides"]
    positives = table.loc[table["status"].eq("ok") & table["side"].eq("positive"), "caption"]
    if positives.empty:
        raise PromptSetError(f"config: {where}: no positive is left; every one is a negative, too")
    if "pool" in block:
        pool = _draw_pool(f"{where}.pool", block["pool"], table["caption"].tolist(), settings)
        table = pd.concat([table, *_matched(positives.tolist(), pool, settings)], ignore_index=True)
    table["set"] = name
    table["prompt_id"] = [prompt_id(caption) for caption in table["caption"]]
    return table[list(COLUMNS)]


def _draw_pool(
    where: str, side: Mapping[str, Any], listed: list[str], settings: SetSettings
) -> list[str]:
    """Captions of the training data, at most `most_pool`, none of which the set has, in order."""
    found = read_side(where, side, settings)
    captions = found.loc[found["status"].eq("ok"), "caption"].tolist()
    if len(captions) > settings.most_pool:
        draw = np.random.default_rng(settings.seed).choice(
            len(captions), settings.most_pool, replace=False
        )
        captions = [captions[i] for i in np.sort(draw)]
    return unlisted_captions(captions, listed)


def _matched(
    positives: Sequence[str], pool: Sequence[str], settings: SetSettings
) -> list[pd.DataFrame]:
    found = {
        SAME_TEMPLATE: match_templates(positives, pool, settings.family),
        SAME_SUBJECT: match_subjects(positives, pool, settings.family, settings.length),
    }
    return [
        pd.DataFrame(
            {
                "caption": [pool[j] for j in pairs["negative"]],
                "match": np.array([prompt_id(positives[i]) for i in pairs["positive"]], np.int64),
                "overlap": pairs["overlap"],
            }
        ).assign(
            side="negative", source=source, images="", type="", file="", place=-1, status="ok", reason=""
        )
        for source, pairs in found.items()
    ]  # fmt: skip


def build_sets(sets: Mapping[str, Mapping[str, Any]], settings: SetSettings) -> pd.DataFrame:
    """The `prompt_sets` table of all sets. Raises PromptSetError: see `build_set`; or there is no set."""
    if not sets:
        raise PromptSetError(
            f"config: prompt_sets.sets is empty; name the files of a published set there ({DOCUMENT})"
        )
    return pd.concat(
        [build_set(name, block, settings) for name, block in sets.items()], ignore_index=True
    )
