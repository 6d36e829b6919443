"""The drawings of the embedded world: which there are, and how they are rendered and restyled."""

import numpy as np
import pandas as pd
import pytest
from white_drawings import render_on_white

from verbatim.io.records import to_table
from verbatim.world.drawings import (
    SIDE,
    fill_share,
    list_drawings,
    render_drawings,
    template_share,
)


@pytest.fixture(scope="module")
def table():
    return list_drawings(skin_tones=True)


def test_thousands_of_images_have_a_caption_of_their_own(table):
    to_table("images", table)
    assert len(table) > 3500
    assert table.caption.is_unique
    assert list(table.image_id) == list(range(len(table)))
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
    first, second = render_on_white([heart, cat], 16)
    again = next(iter(render_on_white([cat], 16)))
    assert first.shape == (16, 16, 3)
    assert first.dtype == np.float32
    assert first[0, 0].min() > 0.99  # the corner is paper
    middle = first[8, 8]
    assert middle[0] > 0.6 > middle[1]  # the heart is red
    np.testing.assert_array_equal(second, again)


def test_of_a_family_with_skin_tones_one_drawing_is_listed_unless_all_are_asked_for(table):
    lone = list_drawings()
    to_table("images", lone)
    assert lone.family.is_unique
    assert set(lone.family) == set(table.family)
    assert list(lone.image_id) == list(range(len(lone)))
    assert set(lone.caption) < set(table.caption)


def test_a_drawing_keeps_its_transparency(table):
    heart = table.code[table.caption == "red heart"].iloc[0]
    (drawing,) = render_drawings([heart])
    assert drawing.shape == (SIDE, SIDE, 4)
    assert drawing.dtype == np.uint8
    assert drawing[0, 0, 3] == 0  # the corner is see-through
    middle = drawing[SIDE // 2, SIDE // 2].astype(int)
    assert middle[3] == 255
    assert middle[0] > 150 > middle[1]


def test_what_a_filling_colours_is_bright_and_opaque():
    drawings = np.zeros((4, 4, 4, 4), np.uint8)
    drawings[1, ..., 3] = 255  # black
    drawings[2, ..., :3] = 255  # white, but see-through
    drawings[3, :2] = 255  # half of it white
    np.testing.assert_allclose(fill_share(drawings), [0, 0, 0, 0.5])


def test_no_flag_is_fit_for_a_template_family(table):
    flags = table[table.group == "1F1"].head(2)
    others = table[table.group != "1F1"].head(2)
    drawings = np.full((4, 2, 2, 4), 255, np.uint8)
    both = pd.concat([flags, others])
    assert list(template_share(both, drawings)) == [0, 0, 1, 1]
