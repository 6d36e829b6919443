"""Detectors by kind of duplicate and count, beside loops."""

import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_prompts, make_scores, make_truth, rows_of

from verbatim.metrics.roc import pass_threshold
from verbatim.tables.blind import BLIND
from verbatim.tables.depths import count_depths
from verbatim.tables.detectors import describe_prompts, join_scores
from verbatim.tables.kinds import score_kinds
from verbatim.tables.statistics import EvaluationSettings, split_groups

HOW = EvaluationSettings(0.05, (), 50, 4, 0.95, 0)


@pytest.fixture(scope="module")
def world():
    truth = make_truth(60)
    often = truth["caption"].isin([f"planted thing {i}" for i in range(20)])
    truth.loc[often, "count"] = 9
    prompts = make_prompts(truth)
    rng = np.random.default_rng(0)
    planted = prompts["caption"].str.extract(r"planted thing (\d+)")[0].astype(float)
    dcs = rng.random(len(prompts)) + 0.9 * (planted < 20) + 0.3 * (planted >= 20)
    copies = {
        f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[0]) for i in range(9)
    }
    known = describe_prompts(prompts, make_labels(truth, copies), truth)
    return known, join_scores(**make_scores(prompts, dcs.to_numpy())), set(
        prompts.loc[~prompts["extra"], "prompt_id"]
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(world):
    return score_kinds(*world[:2], HOW)


def line(kinds, detector, kind, count):
    hit = kinds.query("detector == @detector and kind == @kind and count == @count")
    assert len(hit) == 1
    return hit.iloc[0]


def values_of(world, chosen):
    known, scores, _ = world
    return scores["dcs_reference"].reindex(known.loc[chosen(known), "prompt_id"]).to_numpy()


@pytest.mark.slow
def test_a_kind_and_count_has_the_area_of_a_loop_against_the_held_out(world, result):
    pos = values_of(world, lambda t: t["kind"].eq("full") & t["count"].eq(9))
    neg = values_of(world, lambda t: t["kind"].eq("held_out"))
    got = line(result[0], "dcs_reference", "full", "9")
    assert got["auc"] == pytest.approx(np.mean([[p > n for n in neg] for p in pos]))
    assert (got["n_pos"], got["n_neg"], got["groups"]) == (20, 60, 20)


def test_recall_of_a_detector_is_that_of_one_threshold_for_all_counts_of_a_kind(world, result):
    known, scores, _ = world
    table = known[known["kind"].isin(["full", "held_out"])]
    x = scores["dcs_reference"].reindex(table["prompt_id"]).to_numpy()
    positive = table["kind"].ne("held_out").to_numpy()
    passed, _ = pass_threshold(x, positive, split_groups(table["group"], positive, 2, 0), 0.05)
    for count in ("3", "9"):
        chosen = (table["kind"].eq("full") & table["count"].eq(int(count))).to_numpy()
        got = line(result[0], "dcs_reference", "full", count)
        assert got["tpr"] == pytest.approx(passed[chosen].mean())
        assert got["tpr_low"] <= got["tpr"] <= got["tpr_high"]
    assert line(result[0], "dcs_reference", "full", "9")["tpr"] > line(
        result[0], "dcs_reference", "full", "3"
    )["tpr"]  # fmt: skip


def test_the_curve_of_a_kind_has_its_area(result):
    kinds, roc = result
    for kind in ("full", "template"):
        curve = roc.query("detector == 'dcs_reference' and kind == @kind")
        area = np.trapezoid(curve["tpr"], curve["fpr"])
        assert area == pytest.approx(line(kinds, "dcs_reference", kind, "all")["auc"])


def test_blind_scores_stand_beside_every_detector(world, result):
    assert set(result[0].loc[result[0]["blind"], "detector"]) == set(BLIND)
    assert set(result[0]["detector"]) == {*world[1].columns, *BLIND}


def test_without_held_out_prompts_there_is_nothing_to_compare_and_the_note_says_so(world):
    known, scores, _ = world
    kinds, roc = score_kinds(known[known["kind"] != "held_out"], scores, HOW)
    assert kinds[["auc", "tpr", "fpr"]].isna().all(axis=None)
    assert kinds["note"].str.contains("0 negatives in a half, 19 needed").all()
    assert roc.empty


def test_precision_at_a_depth_is_that_of_a_loop(world):
    known, scores, own = world
    pool = known[known["prompt_id"].isin(own)]
    table = count_depths(pool, scores, [10, 30, 10_000], HOW)
    value = scores["dcs_reference"].reindex(pool["prompt_id"]).to_numpy()
    best = pool.iloc[np.argsort(-value)[:30]]
    got = table.query("detector == 'dcs_reference' and k == 30").iloc[0]
    assert got["copied"] == sum(best["copied"])
    assert got["precision"] == pytest.approx(sum(best["copied"]) / 30)
    assert got["precision_planted"] == pytest.approx(sum(k == "full" for k in best["kind"]) / 30)
    assert got["low"] <= got["precision"] <= got["high"]
    assert got["pool"] == len(pool)
    assert set(table["k"]) == {10, 30}  # no ranking is that long


def test_held_out_prompts_are_in_no_ranking(world):
    known, _, own = world
    assert not (known[known["prompt_id"].isin(own)]["kind"] == "held_out").any()


def test_what_was_not_judged_counts_as_a_miss(world):
    known, scores, own = world
    pool = known[known["prompt_id"].isin(own)].copy()
    pool[["judged", "copied"]] = False
    got = count_depths(pool, scores, [10], HOW)
    assert got["judged"].eq(0).all()
    assert got["precision"].eq(0).all()
    assert got["precision_planted"].max() == 1


def test_a_score_that_saw_fewer_prompts_ranks_only_those(world):
    known, scores, own = world
    pool = known[known["prompt_id"].isin(own)]
    few = scores["ecs_world"].where(scores["ecs_world"].rank(ascending=False) <= 12)
    table = count_depths(pool, scores.assign(ecs_world=few), [10, 30], HOW)
    assert table.loc[table["detector"] == "ecs_world", "k"].tolist() == [10]


def test_a_score_without_a_single_number_ranks_nothing(world):
    """Scores that compare seeds, of a run of one seed."""
    known, scores, _ = world
    table = count_depths(known[known["count"] > 0], scores.assign(ecs_world=np.nan), [10], HOW)
    assert "ecs_world" not in set(table["detector"])
    assert "dcs_reference" in set(table["detector"])


def test_the_table_has_its_columns_when_nothing_could_be_ranked(world):
    known, scores, _ = world
    assert list(count_depths(known.iloc[:5], scores, [1000], HOW).columns)[:3] == [
        "detector", "blind", "k",
    ]  # fmt: skip
    assert isinstance(count_depths(known.iloc[:5], scores, [1000], HOW), pd.DataFrame)


def test_only_kinds_that_held_out_prompts_were_matched_to_are_matched(result):
    kinds = result[0]
    assert kinds.loc[kinds["kind"].eq("full"), "matched"].all()
    assert not kinds.loc[kinds["kind"].ne("full"), "matched"].any()


@pytest.mark.slow
def test_negatives_of_a_kind_are_those_matched_to_it(world):
    known, scores, _ = world
    known = known.copy()
    held = known.index[known["kind"].eq("held_out")]
    known.loc[held[:7], "match_kind"] = "template"
    kinds, _ = score_kinds(known, scores, HOW)
    assert line(kinds, "dcs_reference", "template", "all")["n_neg"] == 7
    assert line(kinds, "dcs_reference", "full", "all")["n_neg"] == len(held) - 7
    assert kinds.loc[kinds["kind"].eq("template"), "matched"].all()


@pytest.mark.slow
def test_a_kind_is_judged_as_if_no_other_kind_and_no_others_negatives_were_there(world):
    known, scores, _ = world
    known = known.copy()
    held = known.index[known["kind"].eq("held_out")]
    known.loc[held[:7], "match_kind"] = "template"
    alone = known[known["kind"].eq("template") | known["match_kind"].eq("template")]
    kinds, roc = score_kinds(known, scores, HOW)
    only, curve = score_kinds(alone, scores, HOW)
    pd.testing.assert_frame_equal(kinds[kinds["kind"].eq("template")].reset_index(drop=True), only)
    pd.testing.assert_frame_equal(roc[roc["kind"].eq("template")].reset_index(drop=True), curve)


def test_matched_captions_tell_the_bag_of_words_nothing_as_a_planted_one_shares_its_negatives_fold():
    """Pairs of one subject, each word once planted and once held out: folds that split pairs would invert it."""
    words = [f"subject{i}" for i in range(40)]
    planted = pd.DataFrame({"caption": [f"{w} a" for w in words], "kind": "near", "count": 3, "match": -1,
                            "match_kind": "", "match_group": "", "group": [f"p{i}" for i in range(40)]})  # fmt: skip
    held = planted.assign(
        caption=[f"{w} b" for w in words], kind="held_out", count=0, match=range(40), match_kind="near",
        match_group=planted["group"], group=[f"h{i}" for i in range(40)],
    )  # fmt: skip
    known = pd.concat([planted, held], ignore_index=True)
    known["caption"] = known["caption"].str[:-2]
    known.insert(0, "prompt_id", range(len(known)))
    nothing = pd.DataFrame(index=pd.Index(known["prompt_id"]))
    kinds, _ = score_kinds(known, nothing, HOW)
    got = line(kinds, "bag_of_words", "near", "all")
    assert got["matched"]
    assert got["auc"] == pytest.approx(0.5)
