"""Squares of one size and their distance."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.io.images import resize
from verbatim.metrics.rmse import _pad, fit_square, rmse, squared_errors

rng = np.random.default_rng(0)


def test_every_pair_equals_the_loop_over_values_whatever_the_batch():
    a = rng.random((3, 6, 6, 3), dtype=np.float32)
    b = rng.random((5, 6, 6, 3), dtype=np.float32)
    for batch in (1, 2, 64):
        errors = squared_errors(a, b, batch=batch)
        for i in range(3):
            for j in range(5):
                naive = sum(
                    (float(x) - float(y)) ** 2
                    for x, y in zip(a[i].ravel(), b[j].ravel(), strict=True)
                )
                assert errors[i, j] == pytest.approx(naive, rel=1e-10)
    assert rmse(a, b)[1, 2] == pytest.approx(np.sqrt(((a[1] - b[2]) ** 2).mean()), rel=1e-5)


def test_a_image_has_no_distance_to_itself_up_to_rounding():
    a = rng.random((1, 64, 64, 3), dtype=np.float32)
    assert rmse(a, a)[0, 0] < 1e-6


def test_the_reference_thresholds_are_sums_of_squares_of_256_pixels():
    # SSE 2,500 of 196,608 values is RMSE 0.1128 (MV, TV); 3,000 is 0.1235 (RV)
    a, b = np.zeros((1, 256, 256, 3), np.float32), np.zeros((1, 256, 256, 3), np.float32)
    b[0, :50, :50, 0] = 1.0
    assert squared_errors(a, b)[0, 0] == pytest.approx(2500)
    assert rmse(a, b)[0, 0] == pytest.approx(0.11276, abs=1e-5)


def test_a_square_image_is_taken_whole():
    image = rng.random((20, 20, 3), dtype=np.float32)
    squares = fit_square(image, 8)
    assert list(squares) == ["whole"]
    assert np.array_equal(squares["whole"], resize(image, 8, 8))


@pytest.mark.parametrize("shape", [(8, 16), (16, 8)])
def test_any_other_is_squashed_cropped_and_padded(shape):
    image = np.zeros((*shape, 3), dtype=np.float32)
    middle = (slice(4, 12), slice(None)) if shape[0] > shape[1] else (slice(None), slice(4, 12))
    image[middle] = 0.5
    squares = fit_square(image, 8)
    assert sorted(squares) == ["center", "pad", "squash"]
    assert np.allclose(squares["center"], 0.5)  # the ends are cut off
    assert squares["squash"].mean() == pytest.approx(0.25, abs=0.02)
    # half of the padded square is white, a quarter grey, a quarter black
    assert squares["pad"].mean() == pytest.approx(0.5 + 0.25 * 0.5, abs=0.02)
    assert all(square.shape == (8, 8, 3) for square in squares.values())


def test_a_long_banner_is_made_smaller_before_it_is_padded(monkeypatch):
    image = resize(rng.random((4, 60, 3), dtype=np.float32), 100, 1500)
    whole = fit_square(image, 32)
    monkeypatch.setattr("verbatim.metrics.rmse.MOST_SIDE", 300)
    assert _pad(image).shape == (300, 300, 3)
    for crop, square in fit_square(image, 32).items():
        np.testing.assert_allclose(square, whole[crop], atol=0.01 if crop == "pad" else 0)
