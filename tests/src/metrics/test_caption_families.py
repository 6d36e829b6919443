"""Families of captions are what a loop over all pairs says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.metrics.caption_families import caption_families, near_pairs, words_of

WORDS = st.lists(st.sampled_from(["red", "Blue", "sky", "1,2", "é"]), max_size=5).map(" ".join)


def jaccard(a: str, b: str) -> float:
    both, either = words_of(a) & words_of(b), words_of(a) | words_of(b)
    return len(both) / len(either) if either else 0.0


def test_words_are_counted_once_whatever_their_case_order_and_punctuation():
    assert words_of('"Watch: The Sky, the SKY 3/4!"') == {"watch", "the", "sky", "3", "4"}
    assert words_of("!?") == frozenset()


@given(
    st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8), st.sampled_from([0.25, 0.5, 2 / 3, 1])
)
def test_near_pairs_are_those_of_a_loop_over_all_pairs(first, second, least):
    found = near_pairs(first, second, least)
    naive = {
        (i, j): jaccard(a, b)
        for i, a in enumerate(first)
        for j, b in enumerate(second)
        if jaccard(a, b) >= least - 1e-9
    }
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs == sorted(naive)
    assert found.jaccard.tolist() == pytest.approx([naive[pair] for pair in pairs])


def test_pairs_are_the_same_when_they_do_not_fit_into_one_block(monkeypatch):
    captions = [f"w{i % 7} w{i % 5} w{i % 3}" for i in range(40)]
    whole = near_pairs(captions, captions, 0.5)
    monkeypatch.setattr("verbatim.metrics.caption_families.BLOCK", 90)
    parts = near_pairs(captions, captions, 0.5)
    assert len(whole.first) > 40
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_a_chain_of_near_duplicates_is_one_family_and_families_are_numbered_as_they_come():
    captions = ["red sky over sea", "a dog", "blue sky over sea", "blue sky over land", "!"]
    assert caption_families(captions, 0.5).tolist() == [0, 1, 0, 0, 2]
    assert caption_families(captions, 0.9).tolist() == [0, 1, 2, 3, 4]


def test_captions_with_a_key_in_common_are_one_family():
    captions = ["red sky", "old dog", "new cat", "big sea"]
    keys = [("x", "y"), ("z",), ("y",), ()]
    assert caption_families(captions, 0.5, keys).tolist() == [0, 1, 0, 2]


def test_no_captions_have_no_families():
    assert caption_families([], 0.5).tolist() == []
