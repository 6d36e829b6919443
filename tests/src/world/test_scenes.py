"""Scenes: the same from the same numbers, and nowhere alike by chance."""

import itertools

import numpy as np
import pytest

from verbatim.world.scenes import (
    CONTRAST,
    DISTORTIONS,
    PLATE,
    Scene,
    distort,
    draw_named_scenes,
    draw_pattern,
    draw_plate,
    draw_scene,
    draw_scenes,
    near_variants,
    restyle,
)

SIZE = 64
VERBATIM = 0.12  # RMSE, Webster 2023


@pytest.fixture(scope="module")
def drawings() -> np.ndarray:
    """Discs of five bright colours on nothing: uint8 (5, 96, 96, 4)."""
    y, x = np.mgrid[:96, :96] / 95 - 0.5
    disc = np.hypot(x, y) < 0.45
    colours = np.random.default_rng(0).integers(150, 256, (5, 3))
    out = np.zeros((5, 96, 96, 4), np.uint8)
    out[..., :3] = colours[:, None, None]
    out[..., 3] = disc * 255
    return out


def rmse(a, b) -> float:
    return float(np.sqrt(np.mean((a / 255.0 - b / 255.0) ** 2)))


def test_a_scene_is_decided_by_its_numbers_and_the_seed(drawings):
    one = Scene(3, 1)
    image = draw_scene(one, drawings, SIZE, 0)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, draw_scene(one, drawings, SIZE, 0))
    for other in (draw_scene(one, drawings, SIZE, 1), draw_scene(Scene(4, 1), drawings, SIZE, 0)):
        assert rmse(image, other) > VERBATIM


@pytest.mark.slow
def test_no_two_scenes_are_near_duplicates_by_chance(drawings):
    images = draw_scenes([Scene(i, i % 5) for i in range(300)], drawings, SIZE, 0)
    flat = images.reshape(len(images), -1) / np.float32(255)
    squares = (flat**2).sum(1)
    between = (squares[:, None] + squares - 2 * flat @ flat.T) / flat.shape[1]
    nearest = np.sqrt(between[~np.eye(len(flat), dtype=bool)].min())
    assert nearest > VERBATIM


def test_no_plain_colour_is_a_near_duplicate_of_a_background():
    rng = np.random.default_rng(0)
    for _ in range(100):
        pattern = draw_pattern(rng).draw(SIZE)
        assert pattern.min() >= 0
        assert pattern.max() <= 1
        away = np.sqrt(((pattern - pattern.mean((0, 1))) ** 2).mean())
        assert away > VERBATIM
        assert away > 0.9 * CONTRAST  # which is measured at a quarter of the size


def test_members_of_a_family_share_all_but_their_drawings_filling(drawings):
    base = draw_scene(Scene(7, 2), drawings, SIZE, 0)
    members = draw_scenes([Scene(7, 2, k) for k in range(12)], drawings, SIZE, 0)
    apart = [rmse(a, b) for a, b in itertools.combinations(members, 2)]
    assert min(apart) > 0.05
    assert np.median(apart) > VERBATIM
    same = np.ptp(members.astype(int), axis=0).max(axis=-1) == 0
    assert 0.3 < same.mean() < 0.8
    assert rmse(base, members[0]) > 0.05  # the same drawing without a filling is no member


def test_a_filling_keeps_outlines_dark():
    drawings = np.zeros((1, 96, 96, 4), np.uint8)
    drawings[..., 3] = 255
    drawings[0, 8:88, 8:88, :3] = 255  # a white square in a black frame
    image = draw_scene(Scene(1, 0, 5), drawings, SIZE, 0)
    assert (image.max(axis=-1) == 0).sum() > 100


def test_scenes_that_are_met_twice_are_equal(drawings):
    one, two, three = draw_scenes([Scene(1, 0), Scene(2, 0), Scene(1, 0)], drawings, SIZE, 0)
    np.testing.assert_array_equal(one, three)
    assert rmse(one, two) > VERBATIM


@pytest.mark.parametrize("size", [16, 64])
def test_a_plate_is_the_same_whatever_the_scene(drawings, size):
    plate = draw_plate(size)
    assert plate.shape == (size, size, 3)
    np.testing.assert_array_equal(plate, draw_scene(Scene(9, PLATE), drawings, size, 4))


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_a_distortion_gives_a_near_duplicate_of_the_same_size(distortion):
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    spot = np.exp(-((x**2 + y**2) / 0.05))[..., None]
    image = np.rint(230 * (1 - spot * [0.2, 0.6, 0.9])).astype(np.uint8)
    got = distort(image, distortion)
    assert got.shape == image.shape
    assert got.dtype == np.uint8
    assert rmse(got, image) < VERBATIM
    assert (rmse(got, image) > 0) == (distortion != "none")


def test_an_unknown_distortion_is_named():
    with pytest.raises(ValueError, match="'swirl'"):
        distort(np.zeros((4, 4, 3), np.uint8), "swirl")


def test_near_variants_take_the_distortions_in_turn():
    got = near_variants(Scene(4, 2), 8)
    assert [one.distortion for one in got] == [*DISTORTIONS, *DISTORTIONS[:2]]
    assert {(one.number, one.drawing) for one in got} == {(4, 2)}


def test_styles_change_colours_and_nothing_else():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    hue = restyle(images, "hue")
    np.testing.assert_array_equal(hue[..., 2], images[..., 0])
    soft = restyle(images, "soft").astype(int)
    grey = images.mean(axis=3, keepdims=True)
    assert np.abs(soft - (images + grey) / 2).max() <= 0.5 + 1e-4


def test_an_unknown_style_is_named():
    with pytest.raises(ValueError, match=r"'pastel'.*'hue', 'soft'"):
        restyle(np.zeros((1, 2, 2, 3), np.uint8), "pastel")


def test_named_scenes_show_each_drawing_in_turn_and_no_two_alike(drawings):
    scenes = draw_named_scenes(drawings, 32, 3, copies=3)
    assert scenes.shape == (3, 5, 32, 32, 3)
    flat = scenes.reshape(15, 32, 32, 3)
    assert min(rmse(a, b) for a, b in itertools.combinations(flat, 2)) > VERBATIM
    for copy in range(3):
        for place in range(5):
            alone = draw_scene(Scene(5 * copy + place, place), drawings, 32, 3)
            assert np.array_equal(scenes[copy, place], alone)
    assert np.array_equal(draw_named_scenes(drawings, 32, 3), scenes[:1])
