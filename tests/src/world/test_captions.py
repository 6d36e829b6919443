"""One grammar for all captions of the world."""

import numpy as np
import pytest

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


def test_captions_of_a_drawing_are_its_name_and_two_style_words_and_differ():
    captions = draw_captions("red heart", 200, np.random.default_rng(0))
    assert len(set(captions)) == 200
    for pair in words(captions, "red heart"):
        assert len(set(pair)) == 2
        assert set(pair) <= set(STYLE_WORDS)


def test_a_familys_captions_share_a_word_and_have_one_of_their_own():
    captions = draw_family("key", 47, np.random.default_rng(0))
    pairs = words(captions, "key")
    assert len({first for first, _ in pairs}) == 1
    assert len({second for _, second in pairs}) == 47
    assert pairs[0][0] not in {second for _, second in pairs}


@pytest.mark.parametrize(("draw", "n"), [(draw_captions, 48 * 47 + 1), (draw_family, 48)])
def test_more_captions_than_the_grammar_has_are_refused(draw, n):
    with pytest.raises(ValueError, match=f"{n} .*at most"):
        draw("key", n, np.random.default_rng(0))
