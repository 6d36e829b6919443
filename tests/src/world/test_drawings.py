"""The drawings of the embedded world: which there are, and how they are rendered and restyled."""

import numpy as np
import pytest

from verbatim.records import to_table
from verbatim.world.pictures import list_pictures, render, restyle


@pytest.fixture(scope="module")
def table():
    return list_pictures()


def test_thousands_of_pictures_have_a_caption_of_their_own(table):
    to_table("pictures", table)
    assert len(table) > 3500
    assert table.caption.is_unique
    assert list(table.picture_id) == list(range(len(table)))
    assert not table.caption.str.contains("[_:]$|__|^ | $|:$").any()
    assert (table.caption == table.caption.str.lower()).all()
    assert (table.n_words == table.caption.str.split().str.len()).all()


def test_skin_tones_of_one_drawing_are_a_family(table):
    waving = table[table.caption.str.startswith("waving hand")]
    assert len(waving) == 6
    assert waving.family.nunique() == 1
    assert waving.group.nunique() == 1
    assert (table.groupby("family").size() == 6).sum() > 50
    # no other drawing strays into it
    assert (table.family == waving.family.iloc[0]).sum() == 6


def test_a_drawing_is_rendered_on_white_in_the_order_asked_for(table):
    heart = table.code[table.caption == "red heart"].iloc[0]
    cat = table.code[table.caption == "cat face"].iloc[0]
    first, second = render([heart, cat], 16)
    again = next(iter(render([cat], 16)))
    assert first.shape == (16, 16, 3)
    assert first.dtype == np.float32
    assert first[0, 0].min() > 0.99  # the corner is paper
    middle = first[8, 8]
    assert middle[0] > 0.6 > middle[1]  # the heart is red
    np.testing.assert_array_equal(second, again)


def test_styles_change_colours_and_nothing_else():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    hue = restyle(pictures, "hue")
    np.testing.assert_array_equal(hue[..., 2], pictures[..., 0])
    soft = restyle(pictures, "soft").astype(int)
    grey = pictures.mean(axis=3, keepdims=True)
    assert np.abs(soft - (pictures + grey) / 2).max() <= 0.5 + 1e-4


def test_an_unknown_style_is_named():
    with pytest.raises(ValueError, match=r"'pastel'.*'hue', 'soft'"):
        restyle(np.zeros((1, 2, 2, 3), np.uint8), "pastel")
