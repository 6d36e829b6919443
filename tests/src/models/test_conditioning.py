"""Other words for an image, and what mitigations do to a caption."""

import random

import pytest

from verbatim.models import conditioning as c

WORDS = set(c.common_words())


def many(change, n=4000):
    """What `change` makes of a caption, with `n` different random numbers."""
    rng = random.Random(1)
    return [change(rng) for _ in range(n)]


def test_a_image_has_its_name_first_and_then_other_captions_all_different():
    names = c.names_of("automobile", "1F697")
    assert names == ["automobile", "car", "red car"]
    found = c.variations(names, 20)
    assert found[:3] == ["automobile", "car", "red car"]
    assert len(found) == len(set(found)) == 20
    assert all("automobile" in one or "car" in one for one in found)
    assert c.variations(names, 1) == ["automobile"]


def test_names_do_not_depend_on_how_a_code_is_written():
    assert c.names_of("red heart", "2764") == c.names_of("red heart", "2764-FE0F")


def test_two_images_have_their_wordings_in_another_order():
    assert c.variations(["dog"], 5, start=3)[1] != c.variations(["dog"], 5, start=4)[1]


def test_a_random_caption_is_six_words_and_always_the_same_for_a_image():
    assert len(c.random_caption(7).split()) == 6
    assert set(c.random_caption(7).split()) <= WORDS
    assert c.random_caption(7) == c.random_caption(7) != c.random_caption(8)


TRAINING = {"rc": 0.4, "rt": 0.1, "cwr": 0.4, "passes": 2}


def inserted(edited, caption):
    """How many words `edited` has beyond the caption's, which must be in it in their order."""
    words, at = edited.split(), 0
    for word in caption.split():
        at = words.index(word, at) + 1
    return len(words) - len(caption.split())


@pytest.mark.parametrize("n", [0, 1, 4])
def test_each_edit_of_a_prompt_is_made_whatever_the_draw(n):
    edits = (
        lambda rng: c.insert_words("zz yy xx", n, rng),
        lambda rng: c.repeat_words("zz yy xx", n, rng),
        lambda rng: c.insert_numbers("zz yy xx", n, 100, rng),
    )
    for edit in edits:
        assert {inserted(one, "zz yy xx") for one in many(edit, 300)} == {n}


def test_rt_inserts_random_words_at_any_place_and_takes_none_out():
    found = [one.split() for one in many(lambda rng: c.insert_words("zz yy", 1, rng))]
    places = [next(i for i, word in enumerate(words) if word in WORDS) for words in found]
    assert [places.count(i) / len(places) for i in range(3)] == pytest.approx([1 / 3] * 3, abs=0.03)
    assert {word for words in found for word in words} - {"zz", "yy"} <= WORDS
    assert len({word for words in found for word in words}) > 500


def test_cwr_inserts_only_words_of_the_caption_each_as_likely():
    found = [one.split() for one in many(lambda rng: c.repeat_words("zz yy", 4, rng))]
    assert all(set(words) == {"zz", "yy"} and len(words) == 6 for words in found)
    assert sum(words.count("zz") - 1 for words in found) / len(found) == pytest.approx(2, abs=0.1)
    assert c.repeat_words("", 4, random.Random(0)) == ""


def test_rna_inserts_whole_numbers_below_its_bound():
    found = [one.split() for one in many(lambda rng: c.insert_numbers("zz yy", 4, 5, rng))]
    numbers = [int(word) for words in found for word in words if word not in ("zz", "yy")]
    assert len(numbers) == 4 * len(found)
    assert set(numbers) == {0, 1, 2, 3, 4}


def test_at_training_one_draw_decides_for_both_insertions():
    """somepago/DCR, datasets.py: a caption has both words or none; two draws would give some one."""
    for mitigation, chance in (("rt", 0.1), ("cwr", 0.4)):
        found = many(lambda rng, name=mitigation: c.edit_caption("zz yy xx", name, TRAINING, rng))
        added = [inserted(one, "zz yy xx") for one in found]
        assert set(added) == {0, 2}
        assert added.count(2) / len(added) == pytest.approx(chance, abs=0.03)


def test_at_training_rc_replaces_a_caption_by_four_random_words():
    found = many(lambda rng: c.edit_caption("zz yy", "rc", TRAINING, rng))
    changed = [one.split() for one in found if one != "zz yy"]
    assert len(changed) / len(found) == pytest.approx(0.4, abs=0.03)
    assert all(len(words) == 4 and set(words) <= WORDS for words in changed)


def test_a_chance_of_none_and_of_one_are_exact():
    for name in ("rc", "rt", "cwr"):
        never, always = TRAINING | {name: 0.0}, TRAINING | {name: 1.0}
        assert {c.edit_caption("zz yy", name, never, random.Random(i)) for i in range(99)} == {
            "zz yy"
        }
        assert "zz yy" not in {
            c.edit_caption("zz yy", name, always, random.Random(i)).strip() for i in range(99)
        }


def test_images_of_a_page_share_the_caption_of_their_class():
    assert c.class_caption("1F1") == "an image of flag"
    assert c.class_caption("FFF") == "an image of symbol"
