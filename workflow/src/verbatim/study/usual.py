"""Values that similarities are compared with: background, images that no point was trained on, split products, sources.

Somepalli 2022 and 2023 tell these beside their scores: a similarity that training images have among themselves
shows no copy.
"""

from __future__ import annotations

import pandas as pd

from verbatim.study import comparisons
from verbatim.study.designs import NONE, Grid

TIMES = (1, 10)  # of a duplicated image, in the points that are shown
# in words, and the measures told of it
ROWS = {
    "similarity of generations to their match": ("similarity:p50", "similarity:p95"),
    "background: of training images to each other": ("background:p50", "background:p95"),
    "of images that nobody trained on": ("held_out:p50", "held_out:p95"),
    "split product of generation and match": ("split:p50", "split:p95"),
    "the same over all pairs of pieces": ("cross:p50", "cross:p95"),
    "split product with the training image where it is largest": ("split_top:p95",),
    "generations whose caption is of a duplicated image": ("duplicated_source",),
    "generations whose match is a duplicated image": ("duplicated_match",),
    "generations whose match is the image asked for": ("match_is_source",),
}


def usual_table(measures: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Rows by the words of ROWS and the measure's name, one column for each point, mean over seeds; no row without a value.

    The points that are as the base, without duplicates and with such of TIMES, as far as they were run.
    """
    base = comparisons.at_base(grid.table, grid.base, ("copies",), {})
    points = base.index[base["ddf"].isin(TIMES)]
    some = measures[measures["point"].isin(points) & measures["defence"].eq(NONE)]
    mean = some.groupby(["measure", "point"])["value"].mean().unstack("point")
    keys = [(words, measure) for words, several in ROWS.items() for measure in several]
    table = mean.reindex(
        index=[measure for _, measure in keys], columns=[p for p in points if p in mean]
    )
    table.index = pd.MultiIndex.from_tuples(keys, names=["words", "measure"])
    return table.dropna(how="all").dropna(how="all", axis=1)
