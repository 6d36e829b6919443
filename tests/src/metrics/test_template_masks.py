"""A template's mask is SciPy's erosion and dilation to the pixel, without SciPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from verbatim.metrics.degenerate_images import GuardSettings, doubts
from verbatim.metrics.template_masks import template_mask


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(2, 24),
    erode=st.integers(0, 9),
    dilate=st.integers(0, 9),
)
def test_a_mask_is_the_opening_that_scipy_makes(seed, size, erode, dilate):
    rng = np.random.default_rng(seed)
    a = rng.random((size, size, 3), dtype=np.float32)
    b = a.copy()
    b[rng.random((size, size)) < rng.random() / 2] += 0.5
    mask = np.abs(a - b).sum(axis=2) < 0.03
    if erode > 1:
        mask = ndimage.binary_erosion(mask, np.ones((erode, erode), bool), border_value=1)
    if dilate > 1:
        mask = ndimage.binary_dilation(mask, np.ones((dilate, dilate), bool))
    np.testing.assert_array_equal(template_mask(a, b, 0.03, erode, dilate), mask)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 16), masked=st.booleans())
def test_flat_is_what_scipys_largest_and_smallest_neighbours_say(seed, size, masked):
    rng = np.random.default_rng(seed)
    image = np.round(rng.random((size, size, 3), dtype=np.float32), 1) * np.float32(0.1)
    area = rng.random((size, size)) < 0.7 if masked else np.ones((size, size), bool)
    area[0, 0] = True
    seen = area[:, :, None]
    highest = ndimage.maximum_filter(np.where(seen, image, -np.inf), (3, 3, 1))
    lowest = ndimage.minimum_filter(np.where(seen, image, np.inf), (3, 3, 1))
    share = ((highest - lowest) <= 0.05).all(axis=2)[area].mean()
    settings = GuardSettings(
        near_constant=0.5, flat_range=0.05, white=2.0, edge_density=2.0, edge_step=1.0
    )
    found = doubts(image, settings, 0.0, area if masked else None)
    assert ("flat" in found) == bool(share >= 0.5)
