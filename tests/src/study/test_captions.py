"""Other words for a picture, and what mitigations do to a caption."""

import random

import pytest

from verbatim.study import captions as c

WORDS = set(c.common_words())


def many(change, n=4000):
    """What `change` makes of a caption, with `n` different random numbers."""
    rng = random.Random(1)
    return [change(rng) for _ in range(n)]


def test_a_picture_has_its_name_first_and_then_other_captions_all_different():
    names = c.names_of("automobile", "1F697")
    assert names == ["automobile", "car", "red car"]
    found = c.variations(names, 20)
    assert found[:3] == ["automobile", "car", "red car"]
    assert len(found) == len(set(found)) == 20
    assert all("automobile" in one or "car" in one for one in found)
    assert c.variations(names, 1) == ["automobile"]


def test_names_do_not_depend_on_how_a_code_is_written():
    assert c.names_of("red heart", "2764") == c.names_of("red heart", "2764-FE0F")


def test_two_pictures_have_their_wordings_in_another_order():
    assert c.variations(["dog"], 5, start=3)[1] != c.variations(["dog"], 5, start=4)[1]


def test_a_random_caption_is_six_words_and_always_the_same_for_a_picture():
    assert len(c.random_caption(7).split()) == 6
    assert set(c.random_caption(7).split()) <= WORDS
    assert c.random_caption(7) == c.random_caption(7) != c.random_caption(8)


def test_rc_replaces_a_caption_by_as_many_random_words_four_times_in_ten():
    found = many(lambda rng: c.replace_caption("zz yy xx", 0.4, rng))
    changed = [one for one in found if one != "zz yy xx"]
    assert len(changed) / len(found) == pytest.approx(0.4, abs=0.03)
    assert all(len(one.split()) == 3 and set(one.split()) <= WORDS for one in changed)


def test_rt_replaces_or_adds_a_word_in_one_of_two_passes():
    found = many(lambda rng: c.change_words("zz yy xx", 0.1, 2, rng))
    changed = [one.split() for one in found if one != "zz yy xx"]
    assert len(changed) / len(found) == pytest.approx(1 - 0.9**2, abs=0.03)
    replaced = [words for words in changed if len(words) == 3]
    assert len(replaced) / len(changed) == pytest.approx(0.5, abs=0.1)
    assert all(sum(word in WORDS for word in words) >= 1 for words in changed)


def test_cwr_only_repeats_words_of_the_caption():
    found = [one.split() for one in many(lambda rng: c.repeat_words("zz yy", 0.4, 2, rng))]
    assert sum(len(words) - 2 for words in found) / len(found) == pytest.approx(0.8, abs=0.05)
    assert all(set(words) == {"zz", "yy"} for words in found)
    assert c.repeat_words("", 1.0, 2, random.Random(0)) == ""


def test_rna_adds_whole_numbers_up_to_a_million():
    found = [one.split() for one in many(lambda rng: c.add_numbers("zz yy", 0.4, 4, 10**6, rng))]
    numbers = [int(word) for words in found for word in words if word not in ("zz", "yy")]
    assert len(numbers) / len(found) == pytest.approx(1.6, abs=0.07)
    assert 0 <= min(numbers) < 10_000
    assert 990_000 < max(numbers) <= 1_000_000


def test_chance_none_changes_nothing():
    rng = random.Random(0)
    assert c.replace_caption("a b", 0.0, rng) == "a b"
    assert c.change_words("a b", 0.0, 4, rng) == "a b"
    assert c.repeat_words("a b", 0.0, 4, rng) == "a b"
    assert c.add_numbers("a b", 0.0, 4, 9, rng) == "a b"


def test_pictures_of_a_page_share_the_caption_of_their_class():
    assert c.class_caption("1F1") == "an image of flag"
    assert c.class_caption("FFF") == "an image of symbol"
