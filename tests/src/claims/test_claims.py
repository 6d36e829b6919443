"""Claims are judged by the rule that the module states, and what is missing is named."""

import numpy as np
import pandas as pd
import pytest
from made_claims import LEVELS, made_grid, made_measures, made_states, row

from verbatim.claims.claims import (
    COLUMNS,
    ROBUSTNESS,
    Claim,
    compare_claims,
    compare_measures,
    count_verdicts,
    evaluate,
    find_margin,
    find_measure,
    other_measures,
)
from verbatim.claims.designs import Alone, Best, Defence, Kinds, Mitigation, Pairs, Series
from verbatim.claims.papers import CLAIMS

SCORE = "similarity:p95"


def said(design, measure=SCORE, measures=None, **more):
    claim = Claim("made", "words", "source", measure, design, **more)
    found = made_measures() if measures is None else measures
    return evaluate(claim, found, made_states(), made_grid(), 0.95)


def test_a_claim_holds_where_the_whole_interval_is_on_its_side():
    line = said(Pairs("conditioning", "own", "fixed"))
    assert line["verdict"] == "held"
    assert line["low"] <= line["estimate"] <= line["high"]
    assert line["estimate"] == pytest.approx(0.2, abs=0.01)
    assert line["compared"] == "none against fixed"
    assert (line["seeds"], line["direction"]) == (2, "as claimed")


def test_a_claim_does_not_hold_where_the_opposite_is_seen():
    line = said(Pairs("conditioning", "fixed", "own"))
    assert (line["verdict"], line["direction"]) == ("not held", "reversed")


def test_a_claim_does_not_hold_where_the_effect_is_too_small_to_be_one():
    line = said(Series("steps"))  # equal levels: at most a few thousandths
    assert line["verdict"] == "not held"
    assert line["high"] < 0.02


def background(values, measure="background:p50"):
    """{(point, seed, defence): median similarity of training images among themselves}"""
    return pd.DataFrame([row(*run, measure, value) for run, value in values.items()])


def test_the_margin_of_a_similarity_is_a_share_of_the_detectors_own_range():
    runs = {
        ("none", 0, "none"): 0.8,
        ("none", 1, "none"): 0.9,
        ("none", 0, "rt"): 0.1,
        ("full5", 0, "none"): 0.4,
    }
    own, pixels = background(runs), background({("none", 0, "none"): 0.6}, "background:p50@pixels")
    both, grid = pd.concat([own, pixels]), made_grid()
    for name in ("similarity:p95", "similarity:p50", "similarity_mean:planted"):
        assert find_margin(name, both, grid) == pytest.approx(0.025 * 0.15)
    assert find_margin("similarity:p50@pixels", both, grid) == pytest.approx(0.025 * 0.4)
    assert find_margin(SCORE, own[own["point"].eq("full5")], grid) == pytest.approx(0.025 * 0.6)
    assert find_margin(SCORE, pixels, grid) == 0.0
    sscd = background({("none", 0, "none"): 0.2})
    assert find_margin(SCORE, sscd, grid) == pytest.approx(0.02)


def test_other_margins_are_fixed():
    measures, grid = made_measures(), made_grid()
    assert find_margin("recall", measures, grid) == 0.05
    assert find_margin("tpr:lira-loss@0.01", measures, grid) == 0.02
    assert find_margin("spearman:outlier_similarity", measures, grid) == 0.1
    assert find_margin("frechet:clip", measures, grid) == 0.0


def test_an_effect_that_is_clear_by_the_detectors_range_is_not_called_none():
    measures = made_measures(scatter=0.005)
    at = measures["measure"].eq(SCORE) & measures["point"].eq("short")
    measures.loc[at, "value"] -= 0.008  # an effect of 0.005, at most 0.010
    assert said(Series("steps"), measures=measures)["verdict"] == "not held"
    measures.loc[measures["measure"].eq("background:p50"), "value"] = 0.84
    assert said(Series("steps"), measures=measures)["verdict"] == "undecided"


def test_a_claim_is_undecided_where_trainings_scatter_more_than_the_effect():
    measures = made_measures(scatter=1.0)
    for design in (Pairs("conditioning", "own", "fixed"), Kinds("full", "image_only")):
        assert said(design, measures=measures)["verdict"] == "undecided"
        assert said(design)["verdict"] == "held"


def test_a_defence_is_judged_by_how_differences_of_the_same_models_scatter():
    line = said(
        Defence("gni"), measures=made_measures(scatter=0.3)
    )  # models scatter, differences do not
    assert line["verdict"] == "held"


def test_one_seed_decides_nothing_but_its_direction_is_told():
    line = said(Pairs("conditioning", "own", "fixed"), measures=made_measures(seeds=(0,)))
    assert (line["verdict"], line["direction"], line["seeds"]) == ("undecided", "as claimed", 1)


def test_a_claim_of_less_is_judged_the_other_way_round():
    line = said(Series("images"), sign=-1)  # made to rise with the data
    assert line["verdict"] == "not held"
    assert line["estimate"] > 0
    assert line["expected"] == "below 0"


def test_a_diverged_training_is_named_with_its_reason():
    line = said(Pairs("conditioning", "own", "class"))
    assert line["verdict"] == "failed"
    assert "broken failed (step 31: the loss is nan)" in line["note"]


def test_a_seed_that_diverged_costs_that_seed_and_is_named():
    measures, states = made_measures(), made_states()
    measures = measures[~(measures["point"].eq("fixed") & measures["seed"].eq(1))]
    states.loc[states["point"].eq("fixed") & states["seed"].eq(1), ["status", "reason"]] = (
        "failed", "step 9: the loss is inf",
    )  # fmt: skip
    claim = Claim("made", "words", "source", SCORE, Pairs("conditioning", "own", "fixed"))
    line = evaluate(claim, measures, states, made_grid(), 0.95)
    assert (line["verdict"], line["seeds"]) == ("undecided", 1)
    assert line["note"] == "fixed, seed 1 failed (step 9: the loss is inf)"


def test_points_that_were_not_asked_for_are_not_run():
    assert said(Pairs("conditioning", "own", "random"))["verdict"] == "not run"
    assert said(Pairs("conditioning", "own", "fixed"), "absent")["verdict"] == "not run"


def test_a_measure_without_a_value_is_undecided_and_says_why():
    lone = made_measures()
    at = lone["measure"].eq("auc:lira-loss")
    lone.loc[at, ["value", "low", "high"]] = np.nan
    lone.loc[at, "note"] = "FPR 0.01: 3 different negatives, 99 needed"
    line = said(Alone("shadows"), "auc:lira-loss", measures=lone)
    assert line["verdict"] == "undecided"
    assert "3 different negatives" in line["note"]


def test_a_series_goes_on_without_a_point_that_is_missing():
    some = made_measures()
    line = said(Series("ddf", "full"), measures=some[some["point"] != "full5"])
    assert line["verdict"] == "held"
    assert line["note"] == "not run: full5"


def test_a_series_is_the_change_along_its_line():
    some = made_measures()
    line = said(Series("ddf", "full"))
    mean = (
        some[some["measure"].eq(SCORE) & some["defence"].eq("none")]
        .groupby("point")["value"]
        .mean()
    )
    x, y = np.log2([1, 5, 10]), mean[["none", "full5", "full10"]].to_numpy()
    assert line["estimate"] == pytest.approx(np.polyfit(x, y, 1)[0] * (x[-1] - x[0]))


def test_the_best_must_lead_every_other_and_the_least_lead_is_shown():
    line = said(Best("mc", ("gn",), True))
    assert (line["verdict"], line["note"]) == ("held", "")
    assert line["estimate"] == pytest.approx(0.1, abs=0.01)
    measures = made_measures()
    at = measures["measure"].eq(SCORE) & measures["defence"].eq("rt")
    measures.loc[at, "value"] -= 0.05
    assert said(Best("rt", ("gni",), False), measures=measures)["verdict"] == "held"
    assert said(Best("gni", ("rt",), False), measures=measures)["verdict"] == "not held"


def test_a_best_one_whose_rival_is_missing_may_not_be_the_best():
    line = said(Best("mc", ("gn", "rc"), True))  # the sheet has no rc
    assert (line["verdict"], line["direction"]) == ("undecided", "as claimed")
    assert line["note"] == "not compared with rc"
    line = said(Best("rt", ("gni", "rna"), False))  # rna is none of the defences
    assert line["note"] == "not compared with rna"
    some = made_measures()
    line = said(Best("mc", ("gn",), True), measures=some[some["point"] != "gn"])
    assert (line["verdict"], line["note"]) == ("not run", "not compared with gn; not run: gn")
    assert (
        said(Best("gn", ("mc", "rc"), True))["verdict"] == "not held"
    )  # one that is better is enough


def test_a_mitigation_is_compared_at_equal_duplication():
    line = said(Mitigation("mc"))
    assert line["compared"] == "none, full10, image10 against mc, mc_full10"
    assert line["estimate"] == pytest.approx((0.15 + 0.2 + 0.11) / 3, abs=0.01)


def test_several_captions_are_one_model_under_both_kinds_of_duplication():
    have = {(name, "none") for name in LEVELS}
    (weights,) = Mitigation("mc").build(made_grid(), have).contrasts
    third = 1 / 3
    assert weights == pytest.approx(
        {("none", "none"): third, ("image10", "none"): third, ("full10", "none"): third,
         ("mc", "none"): -third, ("mc_full10", "none"): -2 * third}
    )  # fmt: skip
    alone = Alone("mitigated:mc").build(made_grid(), have).contrasts
    assert alone == [{("mc", "none"): 0.5, ("mc_full10", "none"): 0.5}]


def test_a_defence_is_compared_with_the_same_models_without_it():
    line = said(Defence("gni"))
    assert line["compared"] == "none, full10 against none+gni, full10+gni"
    assert line["estimate"] == pytest.approx(0.1)
    assert said(Defence("rna"))["verdict"] == "not run"


def test_a_question_is_answered_by_the_same_rule():
    line = said(Alone("defended:gni"), "auc_copied:dcs", reference=0.5, question=True)
    assert (line["verdict"], line["kind"]) == ("yes", "question")
    assert said(Kinds("none", "image_only"), question=True)["verdict"] == "no"


def test_numbers_of_all_shadow_models_need_no_second_seed():
    assert said(Alone("shadows"), "auc:lira-loss")["verdict"] == "held"
    assert said(Alone("shadows"), "auc:inpainting", reference=0.5)["verdict"] == "undecided"


def test_the_frechet_distance_is_fid_where_inception_was_there():
    some = made_measures()
    assert find_measure(some, "frechet") == "frechet:clip"
    some.loc[0] = row("none", 0, "none", "fid", 1.0)
    assert find_measure(some, "frechet") == "fid"


@pytest.mark.slow
def test_every_claim_of_the_papers_gives_a_line_whatever_is_missing():
    for measures in (made_measures(), made_measures().iloc[:0]):
        table = compare_claims(CLAIMS, measures, made_states(), made_grid(), 0.95)
        assert list(table.columns) == list(COLUMNS)
        assert len(table) == len(CLAIMS)
        assert set(table["verdict"]) <= {
            "held", "not held", "undecided", "failed", "not run", "yes", "no",
        }  # fmt: skip


def test_claims_have_names_of_their_own_and_name_their_paper():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    assert all(claim.source and claim.words for claim in CLAIMS)


def test_a_claim_is_credited_to_the_paper_that_has_the_method():
    source = {claim.name: claim.source for claim in CLAIMS}
    for measure in ("similarity", "frechet", "clip"):
        assert source[f"inference_wen_{measure}"] == "Wen 2024, section 4"
        assert source[f"inference_gni_{measure}"].startswith("Somepalli 2023, Table")
    recalls = {
        source[name]
        for name in source
        if name.endswith("_recall") and name.startswith(("train", "inf"))
    }
    assert recalls == {"not asked in the papers"}


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


@pytest.mark.slow
def test_a_claim_by_another_measure_is_judged_as_if_that_were_its_own():
    measures, states, grid = made_measures(), made_states(), made_grid()
    same = measures[measures["measure"].eq(SCORE)].assign(measure="similarity:p50")
    less = measures[measures["measure"].ne("similarity:p95@pixels")]
    table = compare_measures(CLAIMS, pd.concat([less, same]), states, grid, 0.95)
    assert list(table.columns) == list(ROBUSTNESS)
    asked = [claim.name for claim in CLAIMS if claim.measure == SCORE]
    assert table["claim"].tolist() == asked
    first = compare_claims(CLAIMS, measures, states, grid, 0.95).set_index("claim").loc[asked]
    both = ["estimate", "low", "high", "seeds", "verdict"]
    pd.testing.assert_frame_equal(table.set_index("claim")[both], first[both])


@pytest.mark.slow
def test_a_measure_that_says_the_opposite_is_reported_so():
    table = compare_measures(CLAIMS, made_measures(), made_states(), made_grid(), 0.95)
    verdict = table.set_index("claim")["verdict"]  # pixels: 1 - similarity
    assert verdict["own_over_fixed"] == "not held"


def test_verdicts_are_counted_apart_for_claims_and_questions():
    table = pd.DataFrame(
        {"kind": ["claim"] * 4 + ["question"] * 3,
         "verdict": ["held", "not held", "held", "not run", "yes", "undecided", "no"]}
    )  # fmt: skip
    found = count_verdicts(table).set_index("kind")
    assert found.loc["claim"].tolist() == [2, 1, 0, 0, 1, 4]
    assert found.loc["question"].tolist() == [1, 1, 1, 0, 0, 3]
    known = compare_claims(CLAIMS, made_measures(), made_states(), made_grid(), 0.95)
    counts = count_verdicts(known)
    columns = [name for name in counts.columns if name not in ("kind", "total")]
    assert (counts[columns].sum(axis=1) == counts["total"]).all()
    assert counts["total"].sum() == len(CLAIMS)
