"""Relative distance and outliers against naive loops."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from verbatim.io.measures import Measures
from verbatim.membership.relative import (
    outlier_distances,
    relative_distances,
    relative_measures,
    relative_table,
)
from verbatim.metrics.rmse import rmse


def images(n, seed):
    return np.random.default_rng(seed).random((n, 4, 4, 3)).astype(np.float32)


def naive_l2(x, y):
    return np.sqrt(np.mean((x.astype(float) - y.astype(float)) ** 2))


def test_pixel_distances_are_the_root_of_the_mean_square_of_each_pair():
    a, b = images(7, 0), images(5, 1)
    naive = [[naive_l2(x, y) for y in b] for x in a]
    np.testing.assert_allclose(rmse(a, b), naive, rtol=1e-6)


def test_relative_distance_equals_its_definition():
    generations, training = images(6, 0), images(20, 1)
    relative, nearest = relative_distances(rmse(generations, training), 5, 0.5)
    for i, x in enumerate(generations):
        far = sorted(naive_l2(x, y) for y in training)
        assert relative[i] == pytest.approx(far[0] / (0.5 * np.mean(far[:5])), rel=1e-6)
        assert naive_l2(x, training[nearest[i]]) == pytest.approx(far[0], rel=1e-6)


def test_a_copy_is_below_one_and_an_unrelated_image_is_above():
    training = images(60, 1)
    made = np.stack([training[3] + 0.01, images(1, 2)[0]])
    relative, nearest = relative_distances(rmse(made, training), 50, 0.5)
    assert relative[0] < 1 < relative[1]
    assert nearest[0] == 3


def test_fewer_training_images_than_neighbours_are_all_taken():
    relative, _ = relative_distances(np.array([[0.1, 0.3]]), 50, 0.5)
    assert relative[0] == pytest.approx(0.1 / (0.5 * 0.2))


def test_images_that_are_given_back_are_counted_once_each_as_a_share_of_all():
    training, ids = images(9, 1), np.array([3, 5, 8, 13, 21, 34, 55, 89, 144])
    made = np.concatenate([training[[2, 2, 7]] + 0.01, training[[2, 4]] + 0.02, images(6, 2)])
    ratio, place = relative_distances(rmse(made, training), 50, 0.5)
    generations = pd.DataFrame({"generation": range(len(made))})
    out = Measures("uncond", 0, "none")
    table = relative_table("uncond", 0, generations, ratio, ids[place])
    relative_measures(table, ids, 50, 0.95, out)
    found = out.table.set_index("measure")
    copied, copies = set(), 0
    for x in made:
        far = {key: naive_l2(x, y) for key, y in zip(ids.tolist(), training, strict=True)}
        nearest = min(far, key=lambda key: far[key])
        if far[nearest] < 0.5 * np.mean(sorted(far.values())[:50]):
            copied.add(nearest)
            copies += 1
    assert copied == {8, 21, 89}
    assert found.loc["relative:images", ["value", "n"]].tolist() == [len(copied) / 9, 9]
    assert found.loc["relative:flagged", ["value", "n"]].tolist() == [copies / 11, 11]
    ends = binomtest(3, 9).proportion_ci(method="wilson")
    assert found.loc["relative:images", ["low", "high"]].tolist() == pytest.approx(list(ends))
    note = "3 of them, by the 9 nearest of 9 training images"  # fewer than the 50 asked for
    assert found.loc["relative:images", "note"] == note


def test_no_training_images_is_an_error():
    with pytest.raises(ValueError, match="no training images"):
        relative_distances(np.zeros((3, 0)), 50, 0.5)


def test_an_outlier_is_far_from_its_neighbours_and_is_not_its_own():
    x = images(12, 3)
    x[4] += 3
    distances = rmse(x, x)
    found = outlier_distances(distances, 3)
    naive = [
        np.mean(sorted(naive_l2(x[i], x[j]) for j in range(12) if j != i)[:3]) for i in range(12)
    ]
    np.testing.assert_allclose(found, naive, rtol=1e-5)
    assert found.argmax() == 4
