"""What published prompt sets hold: prompts, families of near-duplicates, and what sets and sides share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from verbatim.metrics.caption_families import near_pairs
from verbatim.tables.set_detectors import Comparison

SAME_WORDS = 1 - 1e-9  # Jaccard index of captions with the same words, up to rounding


def count_sets(
    sets: pd.DataFrame, comparisons: Sequence[Comparison], baselines: pd.DataFrame
) -> pd.DataFrame:
    """A line for each set and kind of negatives: its prompts, its families, and how far captions alone go.

    Parameters
    ----------
    sets : a `prompt_sets` table
    comparisons : of these sets
    baselines : from `score_baselines`, of all comparisons

    Returns
    -------
    set, negatives, n_pos, n_neg, families, largest (prompts of the largest family), mixed (families with prompts of both
    sides), in_families (share of the positives that have a near-duplicate among the positives), repeated, both,
    unusable (published rows left out), best_blind, auc, low, high (its area and interval)
    """
    rows: list[dict[str, Any]] = []
    for one in comparisons:
        status = sets.loc[sets["set"].eq(one.set) & sets["source"].eq("published")]
        prompts = one.prompts
        sides = prompts.groupby("family")["positive"].agg(["size", "mean", "sum"])
        crowded = prompts["family"].map(sides["sum"]).gt(1) & prompts["positive"]
        mine = baselines[baselines["set"].eq(one.set) & baselines["negatives"].eq(one.negatives)]
        found = mine.sort_values("auc", ascending=False, kind="stable").head(1)
        best: dict[Any, Any] = {
            "detector": "",
            **dict.fromkeys(("auc", "low", "high"), float("nan")),
        }
        if one.compares:
            best = found.iloc[0].to_dict()
        rows.append(
            {
                "set": one.set, "negatives": one.negatives, "n_pos": int(prompts["positive"].sum()),
                "n_neg": int((~prompts["positive"]).sum()), "families": len(sides),
                "largest": int(sides["size"].max()), "mixed": int(sides["mean"].between(0, 1, "neither").sum()),
                "in_families": float(crowded[prompts["positive"]].mean()),
                "repeated": int(status["status"].eq("repeated").sum()),
                "both": int(status.loc[status["status"].eq("both"), "caption"].nunique()),
                "unusable": int(status["status"].eq("unusable").sum()),
                "best_blind": best["detector"], "auc": best["auc"], "low": best["low"], "high": best["high"],
            }
        )  # fmt: skip
    names = "set negatives n_pos n_neg families largest mixed in_families repeated both unusable best_blind auc low high"
    return pd.DataFrame(rows, columns=names.split())


def list_families(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Families of two prompts or more, the largest of a set first.

    Returns
    -------
    set, negatives, family, prompts, positives, caption (of the family's first prompt)
    """
    columns = ["set", "negatives", "family", "prompts", "positives", "caption"]
    parts = [pd.DataFrame(columns=columns)]
    for one in comparisons:
        found = one.prompts.groupby("family", as_index=False).agg(
            prompts=("prompt_id", "size"),
            positives=("positive", "sum"),
            caption=("caption", "first"),
        )
        found = found[found["prompts"] > 1].assign(set=one.set, negatives=one.negatives)
        found = found.sort_values(["prompts", "family"], ascending=[False, True])
        parts.append(found[columns])
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True)


def count_overlaps(sets: pd.DataFrame, least: float) -> pd.DataFrame:
    """How many prompts of one published side another has, for every two sides of all sets, both ways round.

    Parameters
    ----------
    sets : a `prompt_sets` table
    least : Jaccard index of the words from which captions are near-duplicates, in (0, 1]

    Returns
    -------
    set, side, other_set, other_side, prompts (of the side, each once), equal (the other has the same text), same_words (the
    same set of words), near (a near-duplicate), share_near (of the prompts)
    """
    published = sets[sets["source"].eq("published") & sets["status"].isin(["ok", "both"])]
    sides = {
        (str(name), str(side)): some["caption"].tolist()
        for (name, side), some in published.groupby(["set", "side"], sort=False)
    }
    rows: list[dict[str, Any]] = []
    for first, second in combinations(sides, 2):
        pairs = near_pairs(sides[first], sides[second], least)
        same = pairs.jaccard >= SAME_WORDS
        for here, there, at in ((first, second, pairs.first), (second, first, pairs.second)):
            captions = sides[here]
            near = len(set(at.tolist()))
            rows.append(
                {
                    "set": here[0], "side": here[1], "other_set": there[0], "other_side": there[1],
                    "prompts": len(captions), "equal": len(set(captions) & set(sides[there])),
                    "same_words": len(set(at[same].tolist())), "near": near,
                    "share_near": near / len(captions),
                }
            )  # fmt: skip
    names = "set side other_set other_side prompts equal same_words near share_near"
    return pd.DataFrame(rows, columns=names.split())


def list_matches(sets: pd.DataFrame) -> pd.DataFrame:
    """Matched negatives, to look at or to take: set, negatives, caption, positive (its caption), overlap (Jaccard index)."""
    found = sets[sets["match"].ge(0)]
    captions = sets.drop_duplicates("prompt_id").set_index("prompt_id")["caption"]
    return pd.DataFrame(
        {
            "set": found["set"], "negatives": found["source"], "caption": found["caption"],
            "positive": found["match"].map(captions), "overlap": found["overlap"],
        }
    ).reset_index(drop=True)  # fmt: skip
