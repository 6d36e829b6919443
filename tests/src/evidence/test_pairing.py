"""Which pictures a prompt is tested against, and which pairs may serve as a null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from verbatim.evidence.pairing import draw_null, pair_pictures
from verbatim.evidence.placeholders import caption_overlap, find_placeholders

FETCHED = pd.DataFrame(
    {"row": [1, 2, 3, 4, 5, 6, 7], "caption": ["a", "b", "c", "d", "a", "f", "g"], "status": "ok"}
)
PICTURE_OF = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 1}  # rows 2 and 7 show one picture


@pytest.fixture
def pairing():
    return pair_pictures(
        pd.DataFrame({"prompt_id": [10, 20, 30], "caption": ["a", "b", "x"], "row": [1, 2, -1]}),
        pd.DataFrame({"prompt_id": [10, 10, 30], "seed": 0, "order": [0, 1, 0], "row": [7, 9, 3]}),
        pd.DataFrame({"row": [1], "relative": [6]}),
        FETCHED,
        pd.DataFrame({"row": [3, 4], "cluster": [3, 3]}),
        PICTURE_OF,
    )


def test_a_prompt_is_tested_against_its_own_row_and_its_neighbours(pairing):
    assert [np.flatnonzero(row).tolist() for row in pairing.tested] == [[0, 1], [1], [2]]
    assert pairing.row[0, 1] == 7
    assert pairing.row[1, 1] == 2


def test_relatives_cluster_mates_and_rows_of_the_caption_are_no_null(pairing):
    related = [np.flatnonzero(row).tolist() for row in pairing.related]
    assert related == [[0, 1, 4, 5], [1], [2, 3]]


def test_the_null_is_drawn_from_unrelated_prompts_and_is_the_same_for_a_seed(pairing):
    drawn = draw_null(pairing.related, 2, 3, np.random.default_rng(1))
    for picture, chosen in enumerate(drawn):
        prompts = set((chosen // 2).tolist())
        assert not prompts & set(np.flatnonzero(pairing.related[:, picture]).tolist())
        assert len(set(chosen.tolist())) == len(chosen) <= 3
    again = draw_null(pairing.related, 2, 3, np.random.default_rng(1))
    assert [a.tolist() for a in drawn] == [b.tolist() for b in again]


NOTICE = [
    "sunset over lisbon", "cheap red shoes", "doctor who poster", "kitchen table oak", "blue whale",
    "company logo 2012",
]  # fmt: skip


def placeholders(captions, n_captions, **changes):
    rows = list(range(len(captions)))
    return find_placeholders(
        pd.DataFrame({"row": rows, "caption": captions}),
        pd.DataFrame({"row": rows, "cluster": 0}),
        pd.DataFrame({"cluster": [0], "n_captions": [n_captions]}),
        dict.fromkeys(rows, 0),
        **{"captions": 20, "overlap": 0.1, **changes},
    )


def test_one_picture_under_many_unrelated_captions_is_a_placeholder():
    assert placeholders(NOTICE, 500) == {0}
    assert placeholders(NOTICE, 6) == set()


def test_one_picture_under_many_wordings_of_one_caption_is_none():
    wordings = [f"{word} of a red parrot" for word in ("photo", "picture", "poster", "print")]
    assert placeholders(wordings, 500) == set()


def test_overlap_is_the_median_share_of_common_words():
    texts = ["a b", "b c", "c d"]
    shares = [1 / 3, 0, 1 / 3]
    assert caption_overlap(texts) == pytest.approx(np.median(shares))
    assert np.isnan(caption_overlap(["same", "same"]))
