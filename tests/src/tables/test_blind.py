import numpy as np
import pandas as pd
import pytest

from verbatim.tables.blind import (
    describe_captions,
    predict_from_words,
    rank_in_folds,
    score_words,
)


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


def test_numbers_without_meaning_leave_the_words_near_chance():
    captions = pd.Series([f"w{i} w{i * 7 % 50}" for i in range(200)])
    positive = np.random.default_rng(0).random(200) < 0.5
    scores = predict_from_words(captions, positive, np.arange(200) % 5)
    pairs = scores[positive][:, None] - scores[~positive][None]
    assert 0.35 < (pairs > 0).mean() + 0.5 * (pairs == 0).mean() < 0.65


def test_the_words_of_a_group_are_never_learnt_from_the_group():
    # every planted caption of one image shares a word that no other has
    table = pd.DataFrame({"caption": [f"thing g{i // 4}" for i in range(40)], "group": [i // 4 for i in range(40)]})  # fmt: skip
    positive = pd.Series(np.arange(40) < 20)
    words, part = score_words(table, positive, ~positive, 5, 0)
    assert (part.groupby(table["group"]).nunique() == 1).all()
    assert all(words[part == fold].nunique() == 1 for fold in set(part))  # nothing to tell by


def test_prompts_of_no_comparison_have_no_words():
    table = pd.DataFrame({"caption": ["a", "b", "c"], "group": ["x", "y", "z"]})
    nobody = pd.Series([False] * 3)
    assert score_words(table, nobody, nobody, 2, 0)[0].isna().all()
    one = pd.Series([True, False, False])
    words, _ = score_words(table, one, pd.Series([False, True, False]), 2, 0)
    assert words.notna().tolist() == [True, True, False]


def test_ranks_in_a_fold_take_away_its_zero():
    ranked = rank_in_folds(pd.Series([1.0, 2.0, 101.0, 102.0]), pd.Series([0, 0, 1, 1]))
    assert ranked.tolist() == [0.5, 1.0, 0.5, 1.0]
