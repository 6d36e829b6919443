"""Retrieval, background and split products against loops that say what they mean."""

import numpy as np
import pytest

from verbatim.metrics import similarity

RNG = np.random.default_rng(0)


def unit(n: int, d: int = 12) -> np.ndarray:
    x = RNG.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def chunked(n: int, c: int = 4, e: int = 3) -> np.ndarray:
    return unit(n, c * e).reshape(n, c, e)


def test_the_nearest_training_image_is_that_of_brute_force():
    queries, training = unit(9), unit(20)
    values, places = similarity.nearest(queries, training)
    for q in range(9):
        dots = [float(sum(a * b for a, b in zip(queries[q], t, strict=True))) for t in training]
        assert places[q, 0] == int(np.argmax(dots))
        assert values[q, 0] == pytest.approx(max(dots), abs=1e-5)


def test_background_is_each_training_images_best_other_one():
    training = unit(15)
    dots = training @ training.T
    want = [max(float(dots[i, j]) for j in range(15) if j != i) for i in range(15)]
    np.testing.assert_allclose(similarity.background(training), want, atol=1e-5)
    twice = np.concatenate([training, training[:1]])
    assert similarity.background(twice)[0] == pytest.approx(1, abs=1e-5)


def test_split_product_is_the_largest_inner_product_of_two_chunks():
    a, b = chunked(6), chunked(6)
    for pair in range(6):
        same = [float(a[pair, c] @ b[pair, c]) for c in range(4)]
        every = [float(a[pair, c] @ b[pair, d]) for c in range(4) for d in range(4)]
        assert similarity.split_product(a, b)[pair] == pytest.approx(max(same), abs=1e-6)
        assert similarity.split_product(a, b, cross=True)[pair] == pytest.approx(
            max(every), abs=1e-6
        )


def test_a_copy_of_one_part_shows_in_the_split_product_and_not_in_the_whole():
    training = chunked(50, 4, 16)
    query = chunked(1, 4, 16)
    query[0, 2] = training[31, 2] * 2  # a strong part is copied, the rest is anything
    query /= np.linalg.norm(query)
    value, place = similarity.nearest_split(query, training)
    assert place.tolist() == [31]
    assert value[0] == pytest.approx(float(query[0, 2] @ training[31, 2]), abs=1e-6)
    moved = np.roll(query, 1, axis=1)  # to another place of the image
    assert similarity.split_product(moved, training[31:32])[0] < 0.3
    assert similarity.split_product(moved, training[31:32], cross=True)[0] == pytest.approx(
        value[0], abs=1e-6
    )


def test_the_largest_split_product_is_found_among_all_training_images():
    queries, training = chunked(5), chunked(30)
    values, places = similarity.nearest_split(queries, training)
    for q in range(5):
        each = similarity.split_product(np.repeat(queries[q : q + 1], 30, axis=0), training)
        assert places[q] == each.argmax()
        assert values[q] == pytest.approx(each.max(), abs=1e-6)
