"""One grammar for all captions of the world."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.world.captions import STYLE_WORDS, draw_captions, draw_family
from verbatim.world.drawings import list_drawings


def words(captions: list[str], name: str) -> list[list[str]]:
    assert all(caption.startswith(f"{name} ") for caption in captions)
    return [caption.removeprefix(f"{name} ").split() for caption in captions]


def test_style_words_are_single_words_and_different():
    assert len(set(STYLE_WORDS)) == 48
    assert all(word.isalpha() and word.islower() for word in STYLE_WORDS)


def test_few_drawings_have_a_style_word_in_their_name():
    names = list_drawings()["caption"]
    used = names.map(lambda name: bool(set(name.split()) & set(STYLE_WORDS)))
    assert used.mean() < 0.01


NAMES = st.sampled_from(["key", "red heart", "man swimming light skin tone", "retro"])
SEEDS = st.integers(0, 2**32 - 1)


@given(NAMES, st.integers(0, 300), SEEDS)
def test_captions_of_a_drawing_are_its_name_and_two_style_words_and_differ(name, n, seed):
    captions = draw_captions(name, n, np.random.default_rng(seed))
    assert len(captions) == len(set(captions)) == n
    for pair in words(captions, name):
        assert len(pair) == len(set(pair)) == 2
        assert set(pair) <= set(STYLE_WORDS)


@given(NAMES, st.integers(0, 47), SEEDS)
def test_a_familys_captions_share_a_word_and_have_one_of_their_own(name, n, seed):
    captions = draw_family(name, n, np.random.default_rng(seed))
    assert len(captions) == n
    pairs = words(captions, name)
    shared, own = {first for first, _ in pairs}, {second for _, second in pairs}
    assert len(shared) == min(n, 1)
    assert len(own) == n
    assert not shared & own
    assert shared | own <= set(STYLE_WORDS)


@given(NAMES, st.integers(1, 30), SEEDS)
def test_the_stream_decides_captions_and_fewer_are_the_first_of_more(name, n, seed):
    more = draw_captions(name, 30, np.random.default_rng(seed))
    assert draw_captions(name, n, np.random.default_rng(seed)) == more[:n]


def test_every_caption_that_the_grammar_has_can_be_drawn():
    captions = draw_captions("key", 48 * 47, np.random.default_rng(0))
    assert len(set(captions)) == 48 * 47


@pytest.mark.parametrize(("draw", "n"), [(draw_captions, 48 * 47 + 1), (draw_family, 48)])
def test_more_captions_than_the_grammar_has_are_refused(draw, n):
    with pytest.raises(ValueError, match=f"{n} .*at most"):
        draw("key", n, np.random.default_rng(0))
