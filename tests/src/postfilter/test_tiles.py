"""Carlini's tiled distance against four nested loops."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.postfilter.tiles import pair_distances

rng = np.random.default_rng(0)


def naive(a: np.ndarray, b: np.ndarray, tiles: int) -> float:
    """Worst tile of two uint8 images, tile by tile, in float64."""
    height, width = a.shape[:2]
    worst = 0.0
    for i in range(tiles):
        for j in range(tiles):
            rows = slice(height * i // tiles, height * (i + 1) // tiles)
            columns = slice(width * j // tiles, width * (j + 1) // tiles)
            difference = (a[rows, columns].astype(float) - b[rows, columns].astype(float)) / 255
            worst = max(worst, float(np.sqrt((difference**2).mean())))
    return worst


@pytest.mark.parametrize(
    ("height", "width", "tiles"), [(16, 16, 4), (10, 13, 3), (8, 8, 1), (5, 5, 5)]
)
def test_every_pair_equals_the_loop_over_tiles_also_where_sides_do_not_divide(height, width, tiles):
    images = rng.integers(0, 256, (7, height, width, 3), dtype=np.uint8)
    found = pair_distances(images, tiles)
    for i in range(7):
        for j in range(7):
            assert found[i, j] == pytest.approx(naive(images[i], images[j], tiles), rel=1e-12)


def test_two_different_sets_give_the_block_of_their_pairs_bit_for_bit():
    images = rng.integers(0, 256, (9, 12, 12, 3), dtype=np.uint8)
    whole = pair_distances(images, 4)
    assert np.array_equal(pair_distances(images[:4], 4, images), whole[:4])
    assert np.array_equal(whole, whole.T)


def test_near_equal_images_lose_nothing_to_cancellation_even_in_large_bright_tiles():
    # one byte of 3 * 64 * 64 differs by one, on white: a float32 Gram matrix would give 0 or noise
    image = np.full((1, 64, 64, 3), 255, dtype=np.uint8)
    other = image.copy()
    other[0, 0, 0, 0] = 254
    expected = np.sqrt(1 / (64 * 64 * 3)) / 255
    assert pair_distances(image, 1, other)[0, 0] == pytest.approx(expected, rel=1e-12)
    assert pair_distances(image, 1)[0, 0] == 0.0


def test_extreme_bytes_stay_exact_over_several_pieces():
    black = np.zeros((1, 40, 40, 3), dtype=np.uint8)  # 4,800 values: five float32 pieces
    white = np.full((1, 40, 40, 3), 255, dtype=np.uint8)
    assert pair_distances(black, 1, white)[0, 0] == 1.0


def test_a_common_background_does_not_hide_a_tile_that_differs():
    a = np.full((1, 16, 16, 3), 200, dtype=np.uint8)
    b = a.copy()
    b[0, :4, :4] = 0
    assert pair_distances(a, 4, b)[0, 0] == pytest.approx(200 / 255)
    assert pair_distances(a, 1, b)[0, 0] == pytest.approx(200 / 255 / 4)


def test_floats_are_refused_with_the_cure():
    with pytest.raises(ValueError, match="to_uint8"):
        pair_distances(np.zeros((2, 8, 8, 3)), 2)


@pytest.mark.parametrize("tiles", [0, 9])
def test_more_tiles_than_pixels_or_none_are_refused(tiles):
    with pytest.raises(ValueError, match="1 to 8"):
        pair_distances(np.zeros((2, 8, 12, 3), dtype=np.uint8), tiles)


def test_images_of_two_sizes_are_refused():
    small, large = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 9, 9, 3), np.uint8)
    with pytest.raises(ValueError, match="resize"):
        pair_distances(small, 2, large)
