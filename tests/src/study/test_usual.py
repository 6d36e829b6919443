"""What is usual, of the plain point and its duplicated versions alone."""

import numpy as np
import pandas as pd
import pytest
from made_claims import made_grid, row

from verbatim.study.usual import usual_table


def test_means_over_seeds_of_points_as_the_base_without_and_with_ten_duplicates():
    rows = [
        row(point, seed, defence, measure, value + seed)
        for point in ("none", "full5", "full10", "mc_full10", "fixed")
        for seed in (0, 1)
        for defence in ("none", "gni")
        for measure, value in (("background:p50", 0.2), ("background:p95", 0.4), ("recall", 0.5))
        if defence == "none" or point == "none"
    ]
    measures = pd.DataFrame(rows)
    measures.loc[measures["defence"].eq("gni"), "value"] = 100.0
    rows = [
        row("full10", 0, "none", "split_top:p95", 0.1),
        row("none", 0, "none", "cross:p50", np.nan),
    ]
    found = usual_table(pd.concat([measures, pd.DataFrame(rows)]), made_grid())
    assert found.columns.tolist() == ["none", "full10"]  # image10 was not run
    assert found.index.get_level_values("measure").tolist() == [
        "background:p50", "background:p95", "split_top:p95",
    ]  # fmt: skip
    assert found["none"].tolist()[:2] == pytest.approx([0.7, 0.9])
    assert np.isnan(found["none"].iloc[2])
    assert found["full10"].iloc[2] == 0.1


def test_a_run_of_other_points_has_nothing_to_show():
    assert usual_table(pd.DataFrame([row("mc", 0, "none", "split:p50", 0.1)]), made_grid()).empty
