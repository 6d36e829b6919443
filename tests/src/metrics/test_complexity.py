import io
import math

import numpy as np
import pytest
from PIL import Image

from verbatim.metrics.complexity import correlate, histogram_entropy, jpeg_bytes

RNG = np.random.default_rng(0)


def test_entropy_is_that_of_the_grey_levels_counted_one_by_one():
    image = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    counts: dict[int, int] = {}
    for r, g, b in image.reshape(-1, 3).tolist():
        level = round(0.2125 * r + 0.7154 * g + 0.0721 * b)
        counts[level] = counts.get(level, 0) + 1
    want = -sum(n / 63 * math.log2(n / 63) for n in counts.values())
    assert histogram_entropy(image) == pytest.approx(want)


def test_entropy_of_one_colour_is_none_and_of_two_halves_a_bit():
    flat = np.full((4, 4, 3), 200, np.uint8)
    assert histogram_entropy(flat) == 0
    flat[:2] = 0
    assert histogram_entropy(flat) == 1


def test_jpeg_bytes_are_those_of_the_file_and_grow_with_what_is_to_be_seen():
    noise = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, format="jpeg", quality=90)
    assert jpeg_bytes(noise) == file.tell()
    assert jpeg_bytes(noise) > 2 * jpeg_bytes(np.full_like(noise, 255))


def test_correlation_is_pearsons_by_its_formula_and_leaves_out_what_is_not_finite():
    x = RNG.normal(size=30)
    y = -0.5 * x + RNG.normal(size=30)
    dx, dy = x - x.mean(), y - y.mean()
    want = (dx * dy).sum() / math.sqrt((dx**2).sum() * (dy**2).sum())
    found = correlate(x, y, 0.95)
    assert found.r == pytest.approx(want)
    assert found.low < found.r < found.high
    # the t test of a correlation, by its formula
    from scipy.special import stdtr

    t = want * math.sqrt(28 / (1 - want**2))
    assert found.p == pytest.approx(2 * stdtr(28, -abs(t)))
    again = correlate(np.append(x, np.nan), np.append(y, 1.0), 0.95)
    assert again == found


@pytest.mark.parametrize(
    ("x", "n"), [([1.0, 1.0, 1.0, 1.0, 1.0], 5), ([1.0, 2.0, np.nan, np.nan, np.nan], 2)]
)
def test_what_does_not_vary_or_is_too_little_has_no_correlation(x, n):
    found = correlate(np.array(x), np.arange(5.0), 0.95)
    assert np.isnan([found.r, found.p, found.low, found.high]).all()
    assert found.n == n
