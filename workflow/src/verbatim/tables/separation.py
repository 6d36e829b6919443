"""How well a copy detector tells copies from other images, on pairs that no training has seen."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from verbatim.metrics.intervals import NOTHING, Draws, share_interval
from verbatim.metrics.roc import auc_interval

COLUMNS = [
    "descriptor", "normalized", "pair", "threshold", "n", "above", "share", "low", "high", "median", "auc", "auc_low",
    "auc_high",
]  # fmt: skip
UNRELATED = "unrelated"  # the pairs that all others are told from


def compare_descriptors(
    pairs: pd.DataFrame, thresholds: Sequence[float], draws: Draws
) -> pd.DataFrame:
    """Shares above thresholds, and the area against unrelated pairs, of each detector and kind of pair.

    Parameters
    ----------
    pairs
        A `pair_similarities` table.

    Returns
    -------
    descriptor, normalized, pair, threshold, n, above, share, low, high, median, auc, auc_low, auc_high. The area is of
    the kind's pairs against the unrelated ones (NaN for these), so it is the same at every threshold. A normalized score
    has one line, without a threshold. Intervals: bootstrap over the drawings of the pairs.
    """
    lines = []
    for (descriptor, normalized), of_one in pairs.groupby(["descriptor", "normalized"], sort=False):
        unrelated = of_one[of_one["pair"].eq(UNRELATED)]
        for kind, some in of_one.groupby("pair", sort=False):
            both = pd.concat([some, unrelated])
            area = NOTHING
            if kind != UNRELATED:
                positive = both["pair"].eq(kind)
                area = auc_interval(both["similarity"], positive, both["drawing"], draws)
            line = {
                "descriptor": descriptor,
                "normalized": normalized,
                "pair": kind,
                "n": len(some),
            }
            line["median"] = float(some["similarity"].median())
            line |= {"auc": area.value, "auc_low": area.low, "auc_high": area.high}
            for threshold in [float("nan")] if normalized else thresholds:
                above = some["similarity"] > threshold
                share = NOTHING if normalized else share_interval(above, some["drawing"], *draws)
                cells = {
                    "threshold": threshold,
                    "above": float("nan") if normalized else above.sum(),
                }
                cells |= {"share": share.value, "low": share.low, "high": share.high}
                lines.append(line | cells)
    return pd.DataFrame(lines)[COLUMNS]
