"""What each part of the guard lets out, on a run small enough to be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from verbatim.guard.outcomes import (
    COPIED,
    NEVER,
    OTHERS,
    Counting,
    count_outcomes,
    group_prompts,
    judge_threshold,
    list_outcomes,
)

# prompt 1 is copied and alarms, 2 is copied and does not; 3 was trained on; 4 was not, and alarms; 5 calibrates
PARTS = {1: "trained", 2: "trained", 3: "trained", 4: "evaluation", 5: "calibration"}
ALARMS = pd.DataFrame({"prompt_id": list(PARTS), "seed": 0, "part": list(PARTS.values())})
ALARMS["alarm"] = ALARMS["prompt_id"].isin([1, 4])
COUNTING = Counting(confidence=0.95, resamples=50, seed=0, judge=0.1)


def check(prompt_id, defence, copy, residual, clip, label=None, source=7):
    return {
        "prompt_id": prompt_id, "seed": 0, "defence": defence, "label": label or ("MV" if copy else "N"),
        "source_row": source, "distance": 0.05 if copy else 0.4, "copy": copy, "nearest": 0.05 if copy else 0.4,
        "residual": residual, "clip_score": clip,
    }  # fmt: skip


def checks(*more, without=()):
    rows = [
        check(1, "none", True, 0.1, 0.9),
        check(1, "wen", False, 0.2, 0.7),
        check(2, "none", True, 0.1, 0.9, source=8),
        check(3, "none", False, 0.9, 0.8),
        check(4, "none", False, 0.9, 0.8),
        check(4, "wen", False, 0.9, 0.6),
        check(5, "none", False, 0.9, 0.8),
    ]
    rows = [one for one in rows if (one["prompt_id"], one["defence"]) not in without]
    return pd.DataFrame([*rows, *more])


def outcomes(table, threshold=0.3):
    groups = group_prompts(ALARMS, table, {7: 3, 8: 3})
    return list_outcomes(ALARMS, table, groups, threshold)


def let_out(table):
    found = outcomes(table)
    return {
        policy: dict(zip(of["prompt_id"], of["let_out"], strict=True))
        for policy, of in found.groupby("policy")
    }


def test_each_policy_does_its_part_and_no_more():
    got = let_out(checks())
    assert got["none"] == dict.fromkeys(PARTS, "none")
    assert got["score"] == {1: "wen", 2: "none", 3: "none", 4: "wen", 5: "none"}
    assert got["check"] == {1: "", 2: "", 3: "none", 4: "none", 5: "none"}
    assert got["both"] == {1: "wen", 2: "", 3: "none", 4: "wen", 5: "none"}


def test_a_regenerated_image_that_is_still_a_copy_is_withheld_only_by_the_check():
    table = checks(check(1, "wen", True, 0.1, 0.9), without=[(1, "wen")])
    got = let_out(table)
    assert got["score"][1] == "wen"
    assert got["both"][1] == ""
    found = outcomes(table)
    assert found[(found["policy"] == "score") & (found["prompt_id"] == 1)]["copy"].all()
    assert not found[found["policy"] == "both"]["copy"].any()


def test_what_could_not_be_compared_is_withheld_by_the_check_and_let_out_without_it():
    table = checks(check(3, "none", False, np.inf, 0.8, label="missing"), without=[(3, "none")])
    got = let_out(table)
    assert (got["none"][3], got["score"][3], got["check"][3], got["both"][3]) == (
        "none", "none", "", "",
    )  # fmt: skip


def test_a_defended_network_that_gave_no_image_lets_nothing_out():
    got = let_out(checks(without=[(4, "wen")]))
    assert (got["none"][4], got["score"][4], got["both"][4]) == ("none", "", "")


def test_the_second_judge_sees_a_copy_that_the_check_lets_out():
    found = outcomes(checks()).set_index(["policy", "prompt_id"])
    assert found.loc[("both", 1), ["copy", "second"]].tolist() == [False, True]
    assert found.loc[("check", 1), ["copy", "second"]].tolist() == [False, False]  # withheld


def test_prompts_are_grouped_by_what_the_model_did_and_copies_of_one_source_are_one_unit():
    groups = group_prompts(ALARMS, checks(), {7: 3, 8: 3})
    assert groups["group"].to_dict() == {
        1: COPIED,
        2: COPIED,
        3: OTHERS,
        4: NEVER,
        5: "calibration",
    }
    assert groups["unit"].nunique() == 4
    assert groups["unit"][1] == groups["unit"][2]


def test_counts_rates_and_rows_are_those_counted_by_hand():
    table = count_outcomes(outcomes(checks()), {"wen": 60.0}, COUNTING)
    assert "calibration" not in set(table["prompts"])

    def value(policy, prompts, measure):
        some = table[table["policy"].eq(policy) & table["prompts"].eq(prompts)]
        return some.set_index("measure").loc[measure]

    assert value("none", COPIED, "copies let out")["value"] == 1
    assert value("score", COPIED, "copies let out")[["value", "count", "n"]].tolist() == [0.5, 1, 2]
    assert value("both", COPIED, "copies let out")["value"] == 0
    assert value("both", COPIED, "copies let out, second judge")["value"] == 0.5
    assert value("check", COPIED, "withheld")["value"] == 1
    assert value("both", NEVER, "disturbed")["value"] == 1
    assert value("both", OTHERS, "disturbed")["value"] == 0
    assert value("both", NEVER, "CLIP score change of the regenerated")["value"] == pytest.approx(
        -0.2
    )
    assert value("both", COPIED, "extra network rows")["value"] == 2 + 60 / 2
    assert value("check", COPIED, "extra network rows")["value"] == 0


def test_the_second_judge_calls_at_most_the_chosen_share_of_the_unseen_copies():
    values = np.r_[np.linspace(0.5, 1, 98), np.inf]
    threshold = judge_threshold(values, 0.02)
    assert (values <= threshold).sum() == 2
    assert judge_threshold(values[:10], 0.02) == -np.inf
