"""The same claims by other measures of similarity: which they are, and that the same rule judges them."""

import pandas as pd
from made_claims import made_grid, made_measures, made_states, row

from verbatim.study.claims import SCORE, compare_claims
from verbatim.study.papers import CLAIMS
from verbatim.study.robustness import COLUMNS, compare_measures, other_measures


def test_other_measures_are_the_median_every_other_detector_and_the_copies():
    names = [
        "similarity:p95", "similarity:p50", "similarity:p90", "similarity:p95@sscd", "similarity:p50@sscd",
        "similarity:p95@pixels", "similarity:p50@pixels", "copies_any", "recall", "background:p50",
    ]  # fmt: skip
    table = pd.DataFrame([row("none", 0, "none", name, 0.5) for name in names])
    assert other_measures(table) == [
        "similarity:p50", "similarity:p95@pixels", "similarity:p50@pixels", "similarity:p95@sscd",
        "similarity:p50@sscd", "copies_any",
    ]  # fmt: skip
    assert other_measures(table.iloc[:1]) == []


def test_a_claim_by_another_measure_is_judged_as_if_that_were_its_own():
    measures, states, grid = made_measures(), made_states(), made_grid()
    same = measures[measures["measure"].eq(SCORE)].assign(measure="similarity:p50")
    less = measures[measures["measure"].ne("similarity:p95@pixels")]
    table = compare_measures(CLAIMS, pd.concat([less, same]), states, grid, 0.95)
    assert list(table.columns) == list(COLUMNS)
    asked = [claim.name for claim in CLAIMS if claim.measure == SCORE]
    assert table["claim"].tolist() == asked
    first = compare_claims(CLAIMS, measures, states, grid, 0.95).set_index("claim").loc[asked]
    both = ["estimate", "low", "high", "seeds", "verdict"]
    pd.testing.assert_frame_equal(table.set_index("claim")[both], first[both])


def test_a_measure_that_says_the_opposite_is_reported_so():
    table = compare_measures(CLAIMS, made_measures(), made_states(), made_grid(), 0.95)
    verdict = table.set_index("claim")["verdict"]  # pixels: 1 - similarity
    assert verdict["own_over_fixed"] == "not held"
