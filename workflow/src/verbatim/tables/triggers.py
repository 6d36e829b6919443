"""What a search for triggers without captions finds: distinct memorized images, beside those that come back from their captions.

An image and its duplicates are one. An image can be found if the labels of the same model say that it comes back from a known caption.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from verbatim.metrics.intervals import wilson
from verbatim.tables.truth import PLANTED, judge

IMAGES = tuple(
    kind for kind in PLANTED if kind != "template"
)  # duplicated, so that they can be memorized
EXACT = ("MV", "RV")
COPIES = (*EXACT, "TV")


def known_sources(labels: pd.DataFrame, truth: pd.DataFrame) -> tuple[set[int], set[str]]:
    """Duplicated images (by `image_id`) and template families that come back from known captions, by a model's `labels` table."""
    judged = judge(labels, truth)
    copied = judged[judged["copied"]]
    sources = truth[truth["row"].ge(0)].drop_duplicates("image_id").set_index("image_id")
    of = sources.reindex(copied["source_image"])
    exact = copied["verdict"].isin(EXACT).to_numpy() & of["kind"].isin(IMAGES).to_numpy()
    return set(of.index[exact].tolist()), set(of.loc[of["kind"].eq("template"), "family"])


def count_found(
    found: pd.DataFrame, truth: pd.DataFrame, known: tuple[set[int], set[str]], confidence: float
) -> dict[str, Any]:
    """The columns of `tables/triggers.csv` that say what one method found.

    Parameters
    ----------
    found : the `trigger_labels` of one method. truth : a `truth` table. known : from `known_sources`.
    """
    trained = truth[truth["row"].ge(0)].set_index("row")
    copies = found[found["label"].isin(COPIES) & ~found["review"]]
    source = trained.reindex(copies["source_row"])
    exact = copies["label"].isin(EXACT).to_numpy()
    planted = source["kind"].isin(IMAGES).to_numpy()
    template = source["kind"].eq("template").to_numpy()
    images = set(source.loc[exact & planted, "image_id"].tolist())
    families = set(source.loc[template, "family"])
    times = trained.groupby("image_id").size()
    once = ~template & source["image_id"].map(times).eq(1).to_numpy()
    record: dict[str, Any] = {
        "generations": len(found),
        "missing": int(found["label"].eq("missing").sum()),
        "repeats": int(found.loc[found["cluster"].ge(0), "cluster"].nunique()),
        "prompts_copying": int(copies["prompt_id"].nunique()),
    }
    for name, mine, all_known in (("images", images, known[0]), ("templates", families, known[1])):
        hits, n = len(mine & all_known), len(all_known)
        low, high = wilson(hits, n, confidence)
        share = hits / n if n else float("nan")
        record |= {name: hits, f"{name}_known": n, f"{name}_share": share}
        record |= {f"{name}_low": float(low), f"{name}_high": float(high)}
        record[f"{name}_beyond"] = len(mine - all_known)
    record["once"] = int(source.loc[once, "image_id"].nunique())
    return record
