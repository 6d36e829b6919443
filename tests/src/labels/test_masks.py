"""Template masks and the distance under them, against loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.labels.masks import MaskSettings, choose_partners
from verbatim.metrics.rmse import masked_rmse
from verbatim.metrics.template_masks import template_mask

rng = np.random.default_rng(0)


def naive_mask(a, b, difference, erode, dilate):
    """Pixel by pixel; a square of n reaches from n // 2 before to (n - 1) // 2 after in an erosion,
    and the other way round in a dilation."""
    s = len(a)
    same = [
        [sum(abs(float(a[y, x, c]) - float(b[y, x, c])) for c in range(3)) < difference
         for x in range(s)] for y in range(s)
    ]  # fmt: skip
    eroded = np.zeros((s, s), bool)
    for y in range(s):
        for x in range(s):
            eroded[y, x] = all(
                not (0 <= y + i < s and 0 <= x + j < s) or same[y + i][x + j]
                for i in range(-(erode // 2), erode - erode // 2)
                for j in range(-(erode // 2), erode - erode // 2)
            )
    dilated = np.zeros((s, s), bool)
    for y in range(s):
        for x in range(s):
            if eroded[y, x]:
                for i in range(-(dilate // 2), dilate - dilate // 2):
                    for j in range(-(dilate // 2), dilate - dilate // 2):
                        if 0 <= y + i < s and 0 <= x + j < s:
                            dilated[y + i, x + j] = True
    return dilated


@pytest.mark.parametrize(("erode", "dilate"), [(3, 6), (1, 1), (3, 1), (1, 4), (2, 2)])
def test_the_mask_equals_the_loop_over_pixels(erode, dilate):
    a = rng.random((24, 24, 3), dtype=np.float32)
    b = a.copy()
    b[5:9, 10:20] += 0.2  # the region that varies
    b[rng.random((24, 24)) < 0.03] += 0.1  # and lone pixels
    mask = template_mask(a, b, 0.03, erode, dilate)
    assert np.array_equal(mask, naive_mask(a, b, 0.03, erode, dilate))
    assert 0 < mask.mean() < 1


def test_a_lone_pixel_that_agrees_is_no_shared_region():
    a, b = np.zeros((12, 12, 3)), np.ones((12, 12, 3))
    b[6, 6] = 0.0
    assert not template_mask(a, b, 0.03, 3, 6).any()
    assert template_mask(a, b, 0.03, 1, 1).sum() == 1


def test_the_border_of_equal_images_is_not_eaten():
    a = rng.random((12, 12, 3))
    assert template_mask(a, a, 0.03, 3, 6).all()


def test_the_masked_distance_is_the_references_sum_over_mean_area_as_an_rmse():
    image = rng.random((10, 10, 3))
    generations = rng.random((3, 10, 10, 3))
    mask = rng.random((10, 10)) < 0.4
    m = mask[:, :, None].astype(float)
    for found, generation in zip(masked_rmse(generations, image, mask), generations, strict=True):
        sse = ((image * m - generation * m) ** 2).sum() / mask.mean()
        assert found == pytest.approx(np.sqrt(sse / 300), rel=1e-12)


def test_what_lies_outside_the_mask_does_not_count():
    image = rng.random((8, 8, 3))
    mask = np.zeros((8, 8), bool)
    mask[:, :4] = True
    generation = image.copy()
    generation[:, 4:] = 0.0
    assert masked_rmse(generation[None], image, mask)[0] == 0.0


def test_an_empty_mask_says_nothing_instead_of_dividing_by_zero():
    with np.errstate(all="raise"):
        found = masked_rmse(np.ones((2, 4, 4, 3)), np.zeros((4, 4, 3)), np.zeros((4, 4), bool))
    assert np.isnan(found).all()


def settings(**changes) -> MaskSettings:
    base = {
        "low": 0.02, "high": 0.07, "difference": 0.03, "erode": 1, "dilate": 1, "min_area": 0.3,
        "partners": 2, "sources": 5,
    }  # fmt: skip
    return MaskSettings(**(base | changes))


def test_partners_lie_between_a_copy_and_a_stranger_nearest_first_each_row_once():
    distances = np.array([0.0, 0.01, 0.06, 0.05, 0.03, 0.2, 0.04])
    rows = np.array([9, 1, 2, 3, 2, 4, 9])  # row 2 in two crops; row 9 is the image itself
    assert choose_partners(distances, rows, 9, settings()) == [4, 3]
    assert choose_partners(distances, rows, 9, settings(partners=1)) == [4]
    assert choose_partners(distances, rows, 9, settings(low=0.07)) == []
