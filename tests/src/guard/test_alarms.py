"""When the guard alarms, and on whose scores that is decided."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.guard.alarms import (
    CALIBRATION,
    EVALUATION,
    TRAINED,
    CalibrationError,
    calibrate,
    find_alarms,
    split_prompts,
)

PROMPTS = pd.DataFrame({"prompt_id": range(60), "row": [-1] * 40 + list(range(20))})


def scores(values=None, seeds=(0, 1)):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [(key, seed) for key in range(60) for seed in seeds], columns=["prompt_id", "seed"]
    )
    return table.assign(wen_first_step=rng.normal(size=len(table)) if values is None else values)


@given(st.lists(st.floats(-5, 5), min_size=60, max_size=200), st.sampled_from([0.02, 0.05, 0.2]))
def test_the_threshold_lets_no_more_alarms_through_than_asked_and_wastes_less_than_one(
    values, rate
):
    threshold = calibrate(np.array(values), rate)
    above = (np.array(values) > threshold).sum()
    assert (above + 1) / (len(values) + 1) <= rate + 1 / (len(values) + 1)
    assert (np.array(values) >= threshold).sum() + 1 > rate * (len(values) + 1) - 1


def test_the_rate_of_alarms_on_new_scores_is_what_was_asked_for():
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(400):
        threshold = calibrate(rng.normal(size=99), 0.05)
        rates.append((rng.normal(size=500) > threshold).mean())
    assert np.mean(rates) == pytest.approx(0.05, abs=0.004)


def test_too_few_scores_for_a_rate_are_an_error_with_the_cure():
    with pytest.raises(CalibrationError, match=r"at least 99 are needed.*inputs\.extra_prompts"):
        calibrate(np.arange(98.0), 0.01)
    assert calibrate(np.arange(99.0), 0.01) == 98


def test_a_calibration_score_that_is_not_finite_is_an_error():
    with pytest.raises(CalibrationError, match="1 of 100 scores"):
        calibrate(np.r_[np.nan, np.arange(99.0)], 0.05)


def test_a_prompt_never_trained_on_is_in_one_half_and_a_trained_one_in_neither():
    part = split_prompts(PROMPTS, seed=0)
    assert part[:40].value_counts().to_dict() == {CALIBRATION: 20, EVALUATION: 20}
    assert part[40:].eq(TRAINED).all()
    assert part.equals(split_prompts(PROMPTS, seed=0))
    assert not part.equals(split_prompts(PROMPTS, seed=1))


def test_scores_of_trained_prompts_and_of_the_other_half_decide_nothing():
    table = scores()
    first = find_alarms(PROMPTS, table, "wen_first_step", 0.1, seed=0)
    calibrating = first.loc[first["part"] == CALIBRATION, "prompt_id"].unique()
    moved = table.copy()
    moved.loc[~moved["prompt_id"].isin(calibrating), "wen_first_step"] += 100
    again = find_alarms(PROMPTS, moved, "wen_first_step", 0.1, seed=0)
    assert again["threshold"].unique() == first["threshold"].unique()
    assert again.loc[again["part"] != CALIBRATION, "alarm"].all()
    assert first.groupby("prompt_id")["part"].nunique().eq(1).all()


def test_a_score_that_is_not_finite_alarms():
    table = scores()
    table.loc[table["prompt_id"].eq(45), "wen_first_step"] = np.nan
    found = find_alarms(PROMPTS, table, "wen_first_step", 0.1, seed=0)
    assert found.loc[found["prompt_id"].eq(45), "alarm"].all()
