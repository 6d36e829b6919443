"""The share of planted images that was found.

It is known in the embedded world only, because no public data set says what was copied.
"""

from __future__ import annotations

import pandas as pd

from verbatim.metrics.intervals import wilson
from verbatim.tables.truth import KINDS, judge, list_captions


def count_recall(labels: pd.DataFrame, truth: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Found of planted for one model, per kind and per count of copies.

    The unit is the planted image (for `repeated` the caption). It is found if a prompt with one
    of its captions is labelled MV, RV or TV and the label's source is that very image.

    Parameters
    ----------
    labels : a `labels` table, extra prompts among them
    truth : a `truth` table
    confidence : of Wilson's intervals

    Returns
    -------
    kind, count ("all", or how often it is met), planted, judged (units of which a prompt was
    judged), found, recall (found / planted), low, high, found_family (the source may be another
    member of the template family), found_any (any source). For `held_out` found_any counts false
    alarms.
    """
    pairs = list_captions(truth).merge(judge(labels, truth), on="prompt_id", how="left")
    for name in ("judged", "copied", "own_family"):
        pairs[name] = pairs[name].eq(True)
    pairs["found"] = pairs["copied"] & pairs["source_image"].eq(pairs["image_id"])
    pairs["found_family"] = pairs["copied"] & pairs["own_family"]
    units = (
        pairs.groupby(["kind", "unit"])
        .agg(
            count=("count", "max"),
            judged=("judged", "any"),
            found=("found", "any"),
            found_family=("found_family", "any"),
            found_any=("copied", "any"),
        )
        .reset_index()
    )
    units["planted"] = True
    sums = ["planted", "judged", "found", "found_family", "found_any"]
    each = units.groupby(["kind", "count"])[sums].sum().reset_index()
    every = units.groupby("kind")[sums].sum().reset_index().assign(count=-1)
    table = pd.concat([every, each], ignore_index=True)
    table["order"] = table["kind"].map({kind: i for i, kind in enumerate(KINDS)})
    table = table.sort_values(["order", "count"], kind="stable").reset_index(drop=True)
    table["count"] = table["count"].astype(str).mask(table["count"].eq(-1), "all")
    table["recall"] = table["found"] / table["planted"]
    table["low"], table["high"] = wilson(table["found"], table["planted"], confidence)
    return table[
        ["kind", "count", "planted", "judged", "found", "recall", "low", "high", "found_family",
         "found_any"]
    ]  # fmt: skip
