"""Images that match everything are told apart from those that mean something."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.metrics.degenerate_images import GuardSettings, doubts

SETTINGS = GuardSettings(
    near_constant=0.98, flat_range=0.03, white=0.95, edge_density=0.6, edge_step=0.1
)
rng = np.random.default_rng(0)


def drawing() -> np.ndarray:
    """A filled square with an outline on white: what an icon looks like."""
    image = np.ones((32, 32, 3), dtype=np.float32)
    image[8:24, 8:24] = 0.0
    image[10:22, 10:22] = (0.9, 0.2, 0.1)
    return image


def test_an_ordinary_drawing_raises_no_doubt():
    assert doubts(drawing(), SETTINGS, 0.12) == []


def test_a_white_image_is_called_white_even_with_a_speck():
    image = np.ones((32, 32, 3), dtype=np.float32)
    image[3, 3] = 0.9
    assert doubts(image, SETTINGS, 0.12) == ["white", "low contrast"]


def test_a_plain_colour_is_flat():
    image = np.full((32, 32, 3), (0.1, 0.4, 0.8), dtype=np.float32)
    assert doubts(image, SETTINGS, 0.12) == ["flat", "low contrast"]


def test_a_gradient_with_contrast_is_flat_but_not_low_in_contrast():
    ramp = np.linspace(0, 0.6, 64, dtype=np.float32)
    image = np.repeat(np.repeat(ramp[None, :, None], 64, 0), 3, 2)
    assert doubts(image, SETTINGS, 0.12) == ["flat"]


def test_a_faint_texture_is_matched_by_its_mean_colour():
    image = (0.5 + 0.05 * rng.standard_normal((32, 32, 3))).astype(np.float32)
    assert "low contrast" in doubts(image, SETTINGS, 0.12)
    assert "low contrast" not in doubts(image, SETTINGS, 0.02)


def test_noise_is_a_texture():
    assert doubts(rng.random((32, 32, 3), dtype=np.float32), SETTINGS, 0.12) == ["texture"]


def test_under_a_mask_only_the_masked_area_is_looked_at():
    background = np.zeros((32, 32), dtype=bool)
    background[:8] = True  # up to the drawing's edge, which does not count
    assert doubts(drawing(), SETTINGS, 0.12, background) == ["white", "low contrast"]


def test_the_share_of_edges_is_counted_as_a_loop_counts_it():
    image = rng.choice([0.0, 0.08, 0.3], (16, 16, 3), p=[0.7, 0.2, 0.1]).astype(np.float32)
    edges = 0
    for y in range(16):
        for x in range(16):
            near = [(y + 1, x), (y, x + 1)]
            edges += any(
                abs(float(image[y, x, c]) - float(image[i, j, c])) >= 0.1
                for i, j in near
                for c in range(3)
                if i < 16 and j < 16
            )
    share = edges / 256
    for limit, expected in ((share - 1e-6, True), (share + 1e-6, False)):
        limits = GuardSettings(1.1, 0.03, 0.95, limit, 0.1)
        assert ("texture" in doubts(image, limits, 0.0)) == expected


def test_an_empty_mask_is_a_doubt():
    assert doubts(drawing(), SETTINGS, 0.12, np.zeros((32, 32), bool)) == ["empty mask"]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_differ_in_name_only(value):
    image = np.full((16, 16, 3), value, dtype=np.float32)
    assert doubts(image, SETTINGS, 0.12)[0] == ("white" if value else "flat")
