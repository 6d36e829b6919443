import numpy as np
import pytest

from verbatim.metrics.rmse import pair_rmse
from verbatim.similarity.copies import find_copies

RNG = np.random.default_rng(0)


def test_nearest_and_found_are_those_of_a_loop():
    training = RNG.integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)
    made = RNG.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    made[1] = np.clip(training[3].astype(int) + 5, 0, 255)
    made[4] = training[3]
    copies = find_copies(made, training, 0.1, batch=3)
    for g in range(5):
        each = [np.sqrt((((made[g] / 255.0) - (t / 255.0)) ** 2).mean()) for t in training]
        assert copies.nearest[g] == pytest.approx(min(each), abs=1e-6)
        assert copies.source[g] == int(np.argmin(each))
    assert np.flatnonzero(copies.found).tolist() == [3]


def test_a_generation_near_two_images_is_a_copy_of_the_nearer_alone():
    grey = np.full((2, 4, 4, 3), 0.5)
    grey[1] += 0.05
    copies = find_copies(grey[:1] + 0.01, grey, 0.1)
    assert copies.found.tolist() == [True, False]


def test_pairs_in_batches_are_the_same_to_the_bit():
    a = RNG.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
    b = RNG.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
    whole = (a / np.float32(255)).astype(np.float64) - b / np.float32(255)
    want = np.sqrt((whole**2).mean(axis=(1, 2, 3)))
    for batch in (1, 5, 23, 1024):
        np.testing.assert_array_equal(pair_rmse(a, b, batch), want)


def test_bytes_and_floats_give_one_answer_and_nothing_gives_none():
    a = RNG.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    b = RNG.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    want = [np.sqrt(((a[i] / 255 - b[i] / 255) ** 2).mean()) for i in range(3)]
    np.testing.assert_allclose(pair_rmse(a, b), want, rtol=1e-5)
    np.testing.assert_allclose(pair_rmse(a / np.float32(255), b / np.float32(255)), want, rtol=1e-5)
    assert np.isnan(find_copies(a, b[:0], 0.1).nearest).all()
    assert not find_copies(a[:0], b, 0.1).found.any()
    assert len(pair_rmse(a[:0], b[:0])) == 0
