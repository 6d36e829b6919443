"""Which images can be tested, and which are one image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from verbatim.audit.image_folders import Entry
from verbatim.audit.screening import (
    ScreenSettings,
    find_duplicates,
    screen_images,
    small_square,
)
from verbatim.metrics.degenerate_images import GuardSettings

GUARDS = GuardSettings(
    near_constant=0.98, flat_range=0.03, white=0.95, edge_density=0.9, edge_step=0.1
)
SETTINGS = ScreenSettings(least_side=32, stored_side=128, size=64, threshold=0.12, guards=GUARDS)


def noise(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST))


def screened(tmp_path, image, name="x.png", **said):
    path = tmp_path / name
    if isinstance(image, bytes):
        path.write_bytes(image)
    else:
        Image.fromarray(image).save(path)
    entry = Entry(name, path, caption="a thing", **said)
    return next(iter(screen_images([entry], SETTINGS)))


def test_an_image_that_can_be_tested_is_kept_with_its_size_and_digest(tmp_path):
    row, image = screened(tmp_path, noise(60, 90), owner="Ada", control=True)
    assert (row["status"], row["width"], row["height"]) == ("ok", 90, 60)
    assert (row["owner"], row["control"]) == ("Ada", True)
    assert len(row["sha256"]) == 64
    assert image.shape == (60, 90, 3)


def test_a_large_image_is_kept_smaller(tmp_path):
    row, image = screened(tmp_path, noise(600, 300))
    assert (row["height"], row["width"]) == (600, 300)
    assert image.shape == (128, 64, 3)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (noise(20, 400), "too small: 20 pixels"),
        (np.full((64, 64, 3), 255, np.uint8), "white"),
        (np.full((64, 64, 3), 90, np.uint8), "flat"),
        (b"no image", "broken|format"),
        (b"", "broken"),
    ],
)
def test_what_cannot_be_tested_says_why_and_ends_nothing(tmp_path, image, words):
    row, _ = screened(tmp_path, image)
    assert row["status"] == "not_tested"
    import re

    assert re.search(words, row["reason"]), row["reason"]


def test_copies_of_one_image_are_one_and_unlike_images_are_not():
    images = [noise(64, 64, 0), noise(128, 128, 0), noise(64, 64, 1), noise(64, 64, 2)]
    vectors = np.stack([small_square(one / np.float32(255)) for one in images])
    assert find_duplicates(vectors, ["", "", "", ""], 0.02255).tolist() == [0, 0, 2, 3]


def test_files_that_are_equal_are_one_image_and_duplicates_of_duplicates_too():
    images = [noise(64, 64, seed) for seed in range(4)]
    images[3] = images[1]
    vectors = np.stack([small_square(one / np.float32(255)) for one in images])
    assert find_duplicates(vectors, ["x", "x", "y", "z"], 0.02255).tolist() == [0, 0, 2, 0]


@pytest.mark.slow
def test_ten_thousand_images_are_compared_within_seconds():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(10_000, 48)).astype(np.float32)
    vectors[9_999] = vectors[17]
    groups = find_duplicates(vectors, [""] * 10_000, 0.01)
    assert np.flatnonzero(groups != np.arange(10_000)).tolist() == [9_999]
    assert groups[9_999] == 17
