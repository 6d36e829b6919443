"""Which points of the grid a claim compares: found by what they are, not by what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

OTHER_KIND = {"full": "image_only", "image_only": "full"}
# what a point is; `copies` stands for ddf and duplication together, which mean nothing apart
SETTINGS = ("images", "copies", "conditioning", "text_encoder", "steps", "mitigation")


def name_copies(ddf: float, duplication: str) -> str:
    """ "none", or e.g. "full 10": which images are duplicated how, and how often these are drawn."""
    return "none" if ddf == 1 else f"{duplication} {ddf:g}"


def describe_points(points: list[dict[str, Any]], every_image: int) -> pd.DataFrame:
    """The points (`sweep_points.Point` as dicts) by name, with the columns of SETTINGS, ddf and half.

    A point of `mc` with duplicates has two lines, one line for each kind of duplication; see `_stand_in`.

    every_image : how many images "all" (-1) is.
    """
    table = _stand_in(pd.DataFrame(points).set_index("point"))
    table["copies"] = [
        name_copies(d, kind) for d, kind in zip(table["ddf"], table["duplication"], strict=True)
    ]
    table["images"] = table["images"].where(table["images"] >= 0, every_image)
    return table


def _stand_in(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `mc` under both kinds of duplication, where the sheet has it under one.

    With `mc` each draw of any image takes one of several captions, whether the duplication is of the caption too
    or not: it is the same model (Somepalli 2023, Table 1, has the same number for both).
    """
    several = table[table["mitigation"].eq("mc") & table["ddf"].gt(1)]
    other = several.assign(duplication=several["duplication"].map(OTHER_KIND))
    keys = [name for name in (*SETTINGS, "ddf", "duplication", "half") if name in table]
    known = set(table[keys].itertuples(index=False, name=None))
    new = [one not in known for one in other[keys].itertuples(index=False, name=None)]
    return pd.concat([table, other.loc[new]])


def base_settings(base: Mapping[str, Any], every_image: int) -> dict[str, Any]:
    """`sweep.base` of the config with the columns of SETTINGS."""
    images = every_image if base["images"] == "all" else int(base["images"])
    return {
        "images": images,
        "copies": name_copies(float(base["ddf"]), str(base["duplication"])),
        "conditioning": base["conditioning"], "text_encoder": base["text_encoder"],
        "steps": int(base["steps"]), "mitigation": base["mitigation"],
    }  # fmt: skip


def at_base(
    table: pd.DataFrame, base: Mapping[str, Any], free: tuple[str, ...], where: Mapping[str, Any]
) -> pd.DataFrame:
    """Points that are as the base, but for the columns `free` and for what `where` asks; no shadow models."""
    chosen = table["half"] < 0
    for column in SETTINGS:
        if column in where:
            chosen &= table[column] == where[column]
        elif column not in free:
            chosen &= table[column] == base[column]
    return table[chosen]


def pairs(
    table: pd.DataFrame,
    base: Mapping[str, Any],
    column: str,
    more: Any,
    less: Any,
    where: Mapping[str, Any] | None = None,
) -> list[tuple[str, str]]:
    """Points with `more` beside those with `less` in a column, the rest as the base, copies alike.

    Any number of copies counts, so that there may be several pairs, unless `where` names it.
    """
    free = ("copies", column)
    some = at_base(table, base, free, where or {})
    others = [name for name in SETTINGS if name != column]
    high, low = (some[some[column] == value].reset_index() for value in (more, less))
    both = high.merge(low, on=others, suffixes=("_more", "_less"))
    return list(zip(both["point_more"], both["point_less"], strict=True))


def duplication_pairs(
    table: pd.DataFrame, base: Mapping[str, Any], more: str, less: str
) -> list[tuple[str, str]]:
    """Points of two kinds of duplication ("full", "image_only", "none") at each ddf that both have."""
    some = at_base(table, base, ("copies",), {})
    kind, ddf = some["copies"].str.split().str[0], some["ddf"]
    found = []
    for name, times in ddf[kind == more].items():
        same = (kind == less) & ((ddf == times) | (less == "none") | (more == "none"))
        found += [(str(name), str(other)) for other in some.index[same]]
    return found


def series(
    table: pd.DataFrame,
    base: Mapping[str, Any],
    column: str,
    where: Mapping[str, Any] | None = None,
    kind: str = "",
) -> list[tuple[str, float]]:
    """Points in the order of a numeric column (`ddf`, `images`, `steps`), the rest as the base.

    kind : of duplication, where the column is ddf; points without duplicates begin it.
    """
    if column != "ddf":
        some = at_base(table, base, (column,), where or {})
    else:
        some = at_base(table, base, ("copies",), where or {})
        some = some[some["copies"].eq("none") | some["copies"].str.startswith(f"{kind} ")]
    some = some.sort_values(column, kind="stable")
    return list(zip(some.index, some[column].astype(float), strict=True))
