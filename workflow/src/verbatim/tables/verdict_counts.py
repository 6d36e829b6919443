"""The audit's verdicts against what was planted."""

from __future__ import annotations

import pandas as pd

from verbatim.metrics.intervals import clopper_pearson

VERDICTS = ("given_back", "in_part", "no_copy", "not_tested")
MEMORIZED = ("full", "near", "image_only")
# kinds together, and the kinds that each has
TOGETHER = {
    "memorized": MEMORIZED,
    "template": ("template",),
    "trained once": ("single",),
    "never trained on": ("held_out",),
}


def count_verdicts(
    kinds: pd.DataFrame, images: pd.DataFrame, verdicts: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """How many images of each kind have each verdict.

    Parameters
    ----------
    kinds, images, verdicts : tables `audit_sample`, `audit_images`, `audit_verdicts`.

    Returns
    -------
    truth (a kind of the world, or several together), verdict, images, of (images of that kind), share, low, high
    (Clopper and Pearson 1934).
    """
    table = images.merge(verdicts, on="image").merge(kinds, on="file")
    groups = {kind: (kind,) for kind in dict.fromkeys(kinds["kind"]) if kind in MEMORIZED}
    records = []
    for truth, of in {**TOGETHER, **groups}.items():
        some = table[table["kind"].isin(of)]
        for verdict in VERDICTS:
            count = int(some["verdict"].eq(verdict).sum())
            low, high = clopper_pearson(count, len(some), confidence)
            share = count / len(some) if len(some) else float("nan")
            records.append((truth, verdict, count, len(some), share, low, high))
    columns = ["truth", "verdict", "images", "of", "share", "low", "high"]
    return pd.DataFrame(records, columns=columns)
