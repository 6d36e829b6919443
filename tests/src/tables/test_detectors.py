import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_prompts, make_scores, make_truth, rows_of

from verbatim.metrics.ranking import rank_cliques
from verbatim.tables.blind import BLIND
from verbatim.tables.detectors import (
    add_detectors,
    define_sets,
    describe_prompts,
    fill_unscored,
    join_scores,
    presets_of,
    score_detectors,
)
from verbatim.tables.statistics import EvaluationSettings


def how(resamples=20, folds=5, strict=()):
    return EvaluationSettings(0.05, strict, resamples, folds, 0.95, 0)


@pytest.fixture(scope="module")
def world():
    truth = make_truth(60)
    prompts = make_prompts(truth)
    rng = np.random.default_rng(0)
    planted = prompts["caption"].str.startswith("planted").to_numpy()
    dcs = rng.random(len(prompts)) + 0.6 * planted
    copies = {
        f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[0]) for i in range(45)
    }
    name = "one image, name 0"  # a copy of another kind than full
    copies[name] = ("MV", rows_of(truth, name)[0])
    known = describe_prompts(prompts, make_labels(truth, copies), truth)
    tables = make_scores(prompts, dcs)
    # the cascade hands on the best half only
    half = prompts["prompt_id"][pd.Series(-dcs).rank() <= len(dcs) / 2]
    tables["blackbox"] = tables["blackbox"][tables["blackbox"]["prompt_id"].isin(half)]
    scores = join_scores(tables["whitebox"], tables["blackbox"], tables["postfilter"])
    return known, scores, score_detectors(known, scores, how(100, strict=(0.025, 0.001)))


def line(result, detector, positives, negatives):
    hit = result[
        (result.detector == detector)
        & (result.positives == positives)
        & (result.negatives == negatives)
    ]
    assert len(hit) == 1
    return hit.iloc[0]


@pytest.mark.slow
def test_every_detector_meets_every_set_of_negatives(world):
    _, scores, result = world
    assert len(result) == (len(scores.columns) + len(BLIND)) * 8
    assert set(result.loc[result["blind"], "detector"]) == set(BLIND)


def test_area_is_that_of_a_loop_over_planted_and_held_out(world):
    known, scores, result = world
    value = scores["dcs_reference"]
    pos = [value[row.prompt_id] for row in known.itertuples() if row.kind == "full"]
    neg = [value[row.prompt_id] for row in known.itertuples() if row.kind == "held_out"]
    auc = np.mean([[1.0 if p > n else 0.5 if p == n else 0.0 for n in neg] for p in pos])
    got = line(result, "dcs_reference", "full", "held_out")
    assert got["auc"] == pytest.approx(auc)
    assert got["low"] < auc < got["high"]
    assert (got["n_pos"], got["n_neg"], got["found"], got["alarms"]) == (60, 60, 45 / 60, 0)
    assert 0 < got["tpr"] < 1
    assert got["fpr"] < 0.2


def test_copied_positives_are_the_full_duplicates_that_were_drawn(world):
    known, _, result = world
    assert known.loc[known["kind"] == "image_only", "mv"].sum() == 1
    got = line(result, "dcs_reference", "copied", "single")
    assert (got["n_pos"], got["found"]) == (45, 1.0)


def test_prompts_that_the_cascade_dropped_are_counted_as_unseen(world):
    known, scores, result = world
    got = line(result, "ecs_reference", "full", "held_out")
    seen = scores["ecs_reference"].dropna().index
    held = known[known["kind"] == "held_out"]
    assert got["n_neg"] == len(held)
    assert got["share_neg"] == held["prompt_id"].isin(seen).mean() < 1


def loop_area(pos, neg):
    return np.mean([[1.0 if p > n else 0.5 if p == n else 0.0 for n in neg] for p in pos])


@pytest.mark.slow
def test_a_prompt_without_a_score_counts_as_the_lowest_and_the_conditional_area_stands_beside(
    world,
):
    known, scores, _ = world
    # all held-out prompts pass the stage, of the planted only the ten best by DCS
    planted = known.loc[known["kind"] == "full", "prompt_id"]
    best = scores.loc[planted, "dcs_reference"].nlargest(10).index
    held = known.loc[known["kind"] == "held_out", "prompt_id"]
    ecs = pd.Series(np.nan, index=scores.index)
    ecs[best], ecs[held] = scores.loc[best, "dcs_reference"], scores.loc[held, "dcs_reference"]
    result = score_detectors(known, scores.assign(ecs_paper=ecs), how(200))
    got = line(result, "ecs_paper", "full", "held_out")
    low = ecs.min() - 1
    assert got["auc"] == pytest.approx(loop_area(ecs[planted].fillna(low), ecs[held]))
    assert got["auc_scored"] == pytest.approx(loop_area(ecs[best], ecs[held]))
    assert got["low"] < got["auc"] < got["high"] < got["auc_scored"]
    assert got["tpr"] <= got["share_pos"] == pytest.approx(10 / 60)
    assert (got["share_neg"], got["n_pos"]) == (1.0, 60)


def test_prompts_without_a_score_tie_with_one_another_below_all_scores():
    filled = fill_unscored(pd.Series([1e9, np.nan, -1e9, np.nan]))
    assert filled[1] == filled[3] < filled[2] == -1e9
    assert fill_unscored(pd.Series([np.nan, np.nan])).isna().all()


def test_a_detector_that_scored_nobody_has_no_area_and_says_why(world):
    """One whose score needs several seeds, say: an area of a half would be a claim that it finds nothing."""
    prompts, scores, _ = world
    found = score_detectors(prompts, scores.assign(ecs_world=np.nan), how())
    nobody = found[found["detector"].eq("ecs_world")]
    assert nobody[["auc", "low", "high", "auc_scored", "tpr", "fpr"]].isna().all(axis=None)
    many = nobody[nobody["negatives"].eq("held_out") & nobody["positives"].eq("full")]
    assert set(many["tpr_note"]) == {"no prompt has a score"}
    assert (nobody["share_pos"] == 0).all()


def test_where_every_prompt_has_a_score_both_areas_are_one(world):
    every = world[2].query("share_pos == 1 and share_neg == 1")
    assert {"dcs_reference", "bag_of_words"} <= set(every["detector"])
    assert every["auc_scored"].to_numpy() == pytest.approx(every["auc"].to_numpy())


@pytest.fixture(scope="module")
def judged_in_part():
    """Judged: five planted (four drawn), three held out (one a false alarm), no single but one."""
    truth = make_truth(8)
    prompts = make_prompts(truth)
    copies = {
        f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[0]) for i in range(4)
    }
    copies["unseen thing 0"] = ("RV", rows_of(truth, "planted thing 0")[0])
    labels = make_labels(truth, copies, missing=("unseen thing 3",))
    asked = [f"planted thing {i}" for i in range(5)] + [f"unseen thing {i}" for i in range(4)]
    labels = labels[labels["caption"].isin([*asked, "lone thing 0"])]
    known = describe_prompts(prompts, labels, truth)
    scores = join_scores(**make_scores(prompts, np.random.default_rng(1).random(len(prompts))))
    return known, score_detectors(known, scores, how(folds=3))


@pytest.mark.slow
def test_what_was_drawn_is_counted_among_judged_prompts_only(judged_in_part):
    got = line(judged_in_part[1], "dcs_reference", "full", "held_out")
    assert (got["n_pos"], got["n_neg"]) == (8, 8)
    assert (got["judged_pos"], got["judged_neg"]) == (5, 3)  # a missing label is no verdict
    assert (got["found"], got["alarms"]) == (4 / 5, 1 / 3)


def test_copied_positives_meet_judged_negatives_only(judged_in_part):
    known, result = judged_in_part
    counts = [line(result, "dcs_reference", "copied", n)["n_neg"] for n in ("held_out", "single")]
    assert counts == [3, 1]
    for (positives, _), sets in define_sets(known).items():
        if positives == "copied":
            assert all(known.loc[one, "judged"].all() for one in sets)


@pytest.mark.slow
def test_nobody_judged_is_no_share_and_no_comparison_with_copied():
    truth = make_truth()
    prompts = make_prompts(truth)
    known = describe_prompts(prompts, make_labels(truth, {}).iloc[:0], truth)
    scores = join_scores(**make_scores(prompts, np.random.default_rng(0).random(len(prompts))))
    result = score_detectors(known, scores, how(folds=3))
    assert result[["judged_pos", "judged_neg"]].eq(0).all(axis=None)
    assert result[["found", "alarms"]].isna().all(axis=None)
    copied = result[result["positives"] == "copied"]
    assert copied[["n_pos", "n_neg"]].eq(0).all(axis=None)
    assert copied[["auc", "auc_scored", "tpr", "share_neg"]].isna().all(axis=None)


def test_the_clique_detector_has_the_order_of_the_post_filter():
    prompts = make_prompts(make_truth())
    tables = make_scores(prompts, np.random.default_rng(0).random(len(prompts)))
    filtered = tables["postfilter"]
    clique = join_scores(**tables)["clique"].reindex(filtered["prompt_id"])
    assert (np.argsort(-clique.to_numpy()) == np.argsort(rank_cliques(filtered))).all()


def test_a_difference_of_style_shows_in_the_blind_baselines(world):
    # "planted thing 1" is longer than "lone thing 1": what a caption alone gives away is printed
    assert line(world[2], "caption_length", "full", "single")["auc"] > 0.95
    assert line(world[2], "bag_of_words", "full", "single")["auc"] > 0.95


def test_a_threshold_is_not_read_where_negatives_are_few(world):
    got = line(world[2], "dcs_reference", "full", "repeated")
    assert got["n_neg"] == 1
    assert np.isnan(got["tpr"])
    assert np.isnan(got["low"])


def test_negatives_are_matched_held_out_captions_only():
    truth = make_truth()
    truth.loc[truth["caption"] == "unseen thing 0", "match"] = -1
    known = describe_prompts(make_prompts(truth), make_labels(truth, {}), truth)
    _, negatives = define_sets(known)[("full", "held_out")]
    assert sorted(known.loc[negatives, "caption"]) == [f"unseen thing {i}" for i in range(1, 6)]


def test_held_out_negatives_are_those_of_full_duplicates_whatever_other_kinds_have():
    truth = make_truth()
    carpet = truth.loc[truth["kind"] == "template", "image_id"].iloc[0]
    truth.loc[truth["caption"] == "unseen thing 2", "match"] = carpet
    known = describe_prompts(make_prompts(truth), make_labels(truth, {}), truth)
    sets = define_sets(known)
    for positives in ("full", "copied"):
        captions = known.loc[known["kind"].eq("held_out"), "caption"]
        _, negatives = sets[(positives, "held_out")]
        assert "unseen thing 2" not in set(known.loc[negatives, "caption"])
    assert len(captions) == 6
    of_carpet = known.set_index("caption").loc["unseen thing 2"]
    assert of_carpet[["match_kind", "match_group"]].tolist() == ["template", "carpets"]


@pytest.mark.slow
def test_without_a_single_copy_the_copied_positives_are_empty():
    truth = make_truth()
    prompts = make_prompts(truth)
    known = describe_prompts(prompts, make_labels(truth, {}), truth)
    tables = make_scores(prompts, np.random.default_rng(0).random(len(prompts)))
    result = score_detectors(known, join_scores(**tables), how())
    none = result[result["positives"] == "copied"]
    assert none["n_pos"].eq(0).all()
    assert none["auc"].isna().all()


@pytest.mark.slow
def test_stricter_rates_are_read_only_where_the_negatives_suffice(world):
    known, scores, result = world
    got = line(result, "dcs_reference", "full", "single")  # 60 singles: 30 a half
    assert np.isnan(got["tpr_0.025"])
    assert np.isnan(got["tpr_0.001_low"])
    assert got["tpr_note"] == (
        "FPR 0.025: 30 negatives in a half, 39 needed; FPR 0.001: 30 negatives in a half, 999 needed"
    )
    assert got["tpr_low"] <= got["tpr"] <= got["tpr_high"]
    loose = line(
        score_detectors(known, scores, how(strict=(0.1,))), "dcs_reference", "full", "single"
    )
    assert loose["tpr_0.1"] >= got["tpr"]
    assert loose["tpr_note"] == ""


def test_scores_of_several_fits_have_no_threshold_and_say_so(world):
    got = line(world[2], "bag_of_words", "full", "single")
    assert np.isnan(got["tpr"])
    assert got["tpr_note"] == "scores of several fits share no threshold"


@pytest.mark.slow
def test_scores_of_other_papers_are_judged_as_all_others_are(world):
    known, scores, _ = world
    seen = scores.index[:-3]
    table = pd.DataFrame({"prompt_id": seen, "score": "dsm_01", "value": scores.loc[seen, "dcs_paper"].to_numpy(), "n_seeds": 2, "unet_rows": 4, "derivatives": 0})  # fmt: skip
    both = add_detectors(scores, table)
    assert both[scores.columns].equals(scores)
    assert both["dsm_01"].isna().sum() == 3
    assert both.loc[seen, "dsm_01"].tolist() == scores.loc[seen, "dcs_paper"].tolist()
    result = score_detectors(known, both, how())
    plain = score_detectors(known, scores, how())
    own = result[result["detector"] != "dsm_01"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, plain, check_exact=True)
    got = line(result, "dsm_01", "full", "held_out")
    assert got["auc_scored"] > 0.5
    assert got["n_pos"] == line(result, "dcs_paper", "full", "held_out")["n_pos"]


def test_every_score_that_has_a_preset_names_it():
    tables = make_scores(
        make_prompts(make_truth()), np.random.default_rng(0).random(len(make_prompts(make_truth())))
    )
    got = presets_of(tables["blackbox"], tables["postfilter"].assign(preset="carlini"))
    assert (got["dcs_paper"], got["ecs_world"], got["seed_ssim"]) == ("paper", "world", "world")
    assert got["clique"] == got["agreement"] == "carlini"
    assert "wen_first_step" not in got
