"""What is said of each image: given back, given back in part, no copy in n generations, not tested.

Webster 2023, section 4, for the distances; Benjamini and Hochberg 1995 for q; Clopper and Pearson 1934 for the rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.metrics.fdr import benjamini_hochberg
from verbatim.metrics.intervals import clopper_pearson

VERDICTS = ("given_back", "in_part", "no_copy", "not_tested")
WHOLE = 0.9  # ASSUME: share of an image inside the frame from which it is given back whole and not in part
NAN = float("nan")


@dataclass(frozen=True)
class VerdictSettings:
    """whole, template, part : RMSE up to which an image is given back whole, under a template's mask, or where its best
    placement lies.

    alpha : false discovery rate of copies that only a placement shows. most_p : p-value above which a match within the
    RMSE means nothing, because unrelated generations come as near. confidence : of rates.
    """

    whole: float
    template: float
    part: float
    alpha: float
    most_p: float
    confidence: float


def judge_images(
    images: pd.DataFrame, pairs: pd.DataFrame, tests: pd.DataFrame, settings: VerdictSettings
) -> pd.DataFrame:
    """A `audit_verdicts` table: a row an image, in order; a duplicate has the verdict of the first.

    Parameters
    ----------
    images, pairs, tests : tables `audit_images`, `audit_pairs`, `audit_tests`.
    """
    relative_of = dict(zip(tests["image"].tolist(), tests["relative"].tolist(), strict=True))
    p_of = dict(zip(tests["image"].tolist(), tests["p"].tolist(), strict=True))
    q_of = dict(
        zip(tests["image"].tolist(), benjamini_hochberg(tests["p"].to_numpy(float)), strict=True)
    )
    why_of = dict(zip(tests["image"].tolist(), tests["reason"].tolist(), strict=True))
    critical = max(
        (relative_of[one] for one, q in q_of.items() if q <= settings.alpha),
        default=-np.inf,
    )
    by_image = dict(iter(pairs.groupby("image")))
    rows: list[dict[str, Any]] = []
    for image in images.to_dict("records"):
        key = int(image["image"])
        first = key if image["duplicate_of"] < 0 else int(image["duplicate_of"])
        row = {"image": key} | _nothing()
        if image["status"] != "ok":
            row |= {"verdict": "not_tested", "reason": image["reason"]}
        elif first not in by_image:
            why = f": {why_of[first]}" if why_of.get(first) else ""
            reason = f"no generation of its caption can be read{why}"
            row |= {"verdict": "not_tested", "reason": reason}
        else:
            row |= {"p": float(p_of[first]), "q": float(q_of[first])}
            row |= _judge(by_image[first], row["p"], row["q"], float(critical), settings)
        rows.append(row)
    return pd.DataFrame(rows)


def _judge(
    pairs: pd.DataFrame, p: float, q: float, critical: float, settings: VerdictSettings
) -> dict[str, Any]:
    """Verdict of one image from its pairs with the generations of its captions."""
    table = pairs.reset_index(drop=True)
    distance, overlap, masked, relative = (
        table[name].to_numpy(float) for name in ("distance", "overlap", "masked", "relative")
    )
    whole_there = table["visible"].to_numpy(float) >= WHOLE
    # the best of several hundred placements is nearer by chance alone: it counts where unrelated images come less near
    significant = q <= settings.alpha
    placed = np.where(whole_there & np.isfinite(overlap) & significant, overlap, np.inf)
    nearest = np.minimum(distance, placed)
    common = not p > settings.most_p  # a p-value that is not known forbids nothing
    of_whole, of_mask = nearest <= settings.whole, masked <= settings.template
    of_place = (relative <= critical) & (overlap <= settings.part)
    doubt = ""
    if of_whole.any():
        best, verdict, back, apart = int(nearest.argmin()), "given_back", of_whole, nearest
        exact = distance[best] <= settings.whole
        doubt = str(table["doubt"][best]) if exact else ""
        how = "exact" if exact else "mirrored" if table["flip"][best] else "placed"
    elif of_mask.any():
        best, verdict, back, apart = int(np.nanargmin(masked)), "in_part", of_mask, masked
        doubt, how = str(table["masked_doubt"][best]), "template"
    elif significant and of_place.any():
        best = int(np.where(of_place, relative, np.inf).argmin())
        verdict, back, apart = "in_part", of_place, overlap
        how = "region" if whole_there[best] else "crop"
    else:
        best, verdict, how, back, apart = int(nearest.argmin()), "no_copy", "", of_whole, nearest
    columns: dict[str, Any] = {"n": len(table), "n_back": 0}
    if verdict != "no_copy" and (doubt or not common):
        why = doubt or "unrelated generations come as near"
        return columns | {"verdict": "not_tested", "reason": f"a match that means nothing: {why}"}
    columns["n_back"] = int(back.sum())
    low, high = clopper_pearson(columns["n_back"], len(table), settings.confidence)
    return columns | {
        "verdict": verdict, "how": how, "rate_low": low, "rate_high": high, "distance": float(apart[best]),
        "prompt_id": int(table["prompt_id"][best]), "seed": int(table["seed"][best]),
    }  # fmt: skip


def _nothing() -> dict[str, Any]:
    return {
        "verdict": "", "how": "", "reason": "", "n": 0, "n_back": 0, "rate_low": NAN, "rate_high": NAN,
        "prompt_id": -1, "seed": -1, "distance": NAN, "p": NAN, "q": NAN,
    }  # fmt: skip
