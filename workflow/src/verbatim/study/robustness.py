"""Does a claim's verdict hang on how similarity is measured?

The papers' score is one number: the 95th percentile of the similarity to the nearest training image, by one
network. A small data set holds few images above its 95th percentile, and a network may see no difference between a
copy and an image of the same kind. So each claim about that score is judged, by the same rule, on others as well:
the median, every other copy detector, and the share of images that are a copy pixel by pixel.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from verbatim.study.claims import SCORE, Claim, evaluate
from verbatim.study.designs import Grid

COLUMNS = ("claim", "measure", "estimate", "low", "high", "seeds", "verdict")


def other_measures(measures: pd.DataFrame) -> list[str]:
    """The measures that stand in for the score, of those in a `study_measures` table, in a fixed order."""
    there = set(measures["measure"])
    detectors = sorted(name.partition("@")[2] for name in there if name.startswith(f"{SCORE}@"))
    wanted = [
        "similarity:p50",
        *(f"similarity:p{percent}@{name}" for name in detectors for percent in (95, 50)),
        "copies_any",
    ]
    return [name for name in wanted if name in there]


def compare_measures(
    claims: list[Claim],
    measures: pd.DataFrame,
    states: pd.DataFrame,
    grid: Grid,
    confidence: float,
) -> pd.DataFrame:
    """robustness.csv: one line for each claim about the score and another measure, with the columns of COLUMNS."""
    rows = [
        evaluate(replace(claim, measure=measure), measures, states, grid, confidence)
        for claim in claims
        if claim.measure == SCORE
        for measure in other_measures(measures)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
