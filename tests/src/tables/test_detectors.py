import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_prompts, make_scores, make_truth, rows_of

from verbatim.tables.detectors import (
    BLIND,
    define_sets,
    describe_captions,
    describe_prompts,
    join_scores,
    predict_from_words,
    rank_cliques,
    score_detectors,
)


def test_cliques_are_ordered_by_size_then_by_nearness():
    rng = np.random.default_rng(0)
    size = pd.Series(rng.integers(0, 4, 30), index=range(100, 130))
    distance = pd.Series(rng.integers(0, 5, 30) / 10.0, index=size.index).mask(size == 0)
    rank = rank_cliques(size, distance)
    key = {i: (size[i], -distance[i] if size[i] else -np.inf) for i in size.index}
    for i in size.index:
        for j in size.index:
            assert (rank[i] > rank[j]) == (key[i] > key[j])


def test_blind_scores_of_a_caption():
    table = describe_captions(pd.Series(["Two Words", "", "ÄB c 12"]))
    assert table["caption_length"].tolist() == [9, 0, 7]
    assert table["words"].tolist() == [2, 0, 3]
    assert table["capitals"].tolist() == pytest.approx([2 / 8, 0, 2 / 3])


def test_words_are_judged_by_folds_that_did_not_see_them():
    captions = pd.Series([f"red w{i}" for i in range(12)] + [f"blue w{i}" for i in range(12)])
    positive, part = np.arange(24) < 12, np.arange(24) % 3
    scores = predict_from_words(captions, positive, part)
    assert scores[positive].min() > scores[~positive].max()
    # a caption's own label must not reach its score
    flipped = positive.copy()
    flipped[0] = False
    assert predict_from_words(captions, flipped, part)[0] == scores[0]


def test_a_fold_with_nothing_to_learn_from_ties():
    scores = predict_from_words(
        pd.Series(["a", "b", "c"]), np.array([True, False, False]), np.array([0, 1, 1])
    )
    assert scores[0] == 0.0


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
    known = describe_prompts(prompts, make_labels(truth, copies), truth)
    tables = make_scores(prompts, dcs)
    # the cascade hands on the best half only
    half = prompts["prompt_id"][pd.Series(-dcs).rank() <= len(dcs) / 2]
    tables["blackbox"] = tables["blackbox"][tables["blackbox"]["prompt_id"].isin(half)]
    scores = join_scores(tables["whitebox"], tables["blackbox"], tables["postfilter"])
    return known, scores, score_detectors(known, scores, 0.05, 100, 5, 0.95, 0)


def line(result, detector, positives, negatives):
    hit = result[
        (result.detector == detector)
        & (result.positives == positives)
        & (result.negatives == negatives)
    ]
    assert len(hit) == 1
    return hit.iloc[0]


def test_every_detector_meets_every_set_of_negatives(world):
    _, scores, result = world
    assert len(result) == (len(scores.columns) + len(BLIND)) * 6
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


def test_copied_positives_are_those_that_were_drawn(world):
    got = line(world[2], "dcs_reference", "copied", "single")
    assert (got["n_pos"], got["found"]) == (45, 1.0)


def test_prompts_that_the_cascade_dropped_are_counted_as_unseen(world):
    known, scores, result = world
    got = line(result, "ecs_reference", "full", "held_out")
    seen = scores["ecs_reference"].dropna().index
    held = known[known["kind"] == "held_out"]
    assert got["n_neg"] == held["prompt_id"].isin(seen).sum() < len(held)
    assert got["share_neg"] == got["n_neg"] / len(held)


def test_a_difference_of_style_shows_in_the_blind_baselines(world):
    # "planted thing 1" is longer than "lone thing 1": what a caption alone gives away is printed
    assert line(world[2], "caption_length", "full", "single")["auc"] > 0.95
    assert line(world[2], "bag_of_words", "full", "single")["auc"] > 0.95


def test_numbers_without_meaning_leave_the_words_near_chance():
    captions = pd.Series([f"w{i} w{i * 7 % 50}" for i in range(200)])
    positive = np.random.default_rng(0).random(200) < 0.5
    scores = predict_from_words(captions, positive, np.arange(200) % 5)
    pairs = scores[positive][:, None] - scores[~positive][None]
    assert 0.35 < (pairs > 0).mean() + 0.5 * (pairs == 0).mean() < 0.65


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


def test_without_a_single_copy_the_copied_positives_are_empty():
    truth = make_truth()
    prompts = make_prompts(truth)
    known = describe_prompts(prompts, make_labels(truth, {}), truth)
    tables = make_scores(prompts, np.random.default_rng(0).random(len(prompts)))
    result = score_detectors(known, join_scores(**tables), 0.05, 20, 5, 0.95, 0)
    none = result[result["positives"] == "copied"]
    assert none["n_pos"].eq(0).all()
    assert none["auc"].isna().all()
