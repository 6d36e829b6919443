from types import SimpleNamespace

import numpy as np
import pandas as pd

from verbatim.dedup.regions import RegionSettings, compare_images, compare_pairs, square_reader
from verbatim.io.records import to_table

SETTINGS = RegionSettings(
    size=16, low=0.02, high=0.3, difference=0.03, erode=1, dilate=1, min_shared=0.5
)


def image(*patches: tuple[int, int], side: int = 4, shade: float = 0.5) -> np.ndarray:
    """An image of noise with squares of one shade in it."""
    out = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    for y, x in patches:
        out[y : y + side, x : x + side] = shade
    return out


def naive_regions(different: np.ndarray) -> int:
    """Regions of touching pixels, by flood fill."""
    todo = {(int(y), int(x)) for y, x in np.argwhere(different)}
    regions = 0
    while todo:
        regions += 1
        flood = [todo.pop()]
        while flood:
            y, x = flood.pop()
            near = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & todo
            todo -= near
            flood += near
    return regions


def test_one_region_that_differs_makes_a_template():
    got = compare_images(image(), image((2, 3)), SETTINGS)
    assert got["template"]
    assert got["regions"] == 1
    difference = image().astype(float) - image((2, 3))
    assert got["distance"] == np.sqrt((difference**2).mean())
    assert got["shared"] == (np.abs(difference).sum(axis=2) < 0.03).mean()


def test_copies_two_regions_and_too_little_shared_make_none():
    assert not compare_images(image(), image(), SETTINGS)["template"]
    two = compare_images(image(), image((0, 0), (10, 10)), SETTINGS)
    assert (two["regions"], two["template"]) == (2, False)
    little = compare_images(image(), image((1, 1), side=14), SETTINGS)
    assert little["regions"] == 1
    assert little["shared"] < 0.5
    assert not little["template"]
    assert compare_images(image(), image((0, 0), (3, 3)), SETTINGS)["regions"] == 1


def test_regions_are_those_of_a_naive_flood_fill():
    rng = np.random.default_rng(1)
    for share in (0.02, 0.1, 0.3):
        different = rng.random((16, 16)) < share
        other = np.where(different[:, :, None], 1 - image(), image())
        counted = np.abs(image() - other).sum(axis=2) >= 0.03
        assert compare_images(image(), other, SETTINGS)["regions"] == naive_regions(counted)


def test_a_pair_whose_image_is_not_there_is_not_checked():
    images = {1: image(), 2: image((2, 3))}
    pairs = pd.DataFrame({"row_a": [1, 1, 3], "row_b": [2, 3, 4], "similarity": [0.9, 0.95, 1]})
    table = compare_pairs(
        pairs, lambda row: (images.get(row), "" if row in images else "gone"), SETTINGS
    )
    to_table("templates", table)
    assert table["status"].tolist() == ["ok", "not_checked", "not_checked"]
    assert table["reason"].tolist() == ["", "row 3: gone", "row 3: gone; row 4: gone"]
    assert table["template"].tolist() == [True, False, False]
    to_table("templates", compare_pairs(pairs[:0], images.get, SETTINGS))


def test_images_are_read_once_and_brought_to_one_size():
    asked = []

    def read(archive: str, member: str) -> SimpleNamespace:
        asked.append((archive, member))
        there = member != "b.png"
        return SimpleNamespace(
            image=np.zeros((6, 4, 3), np.float32) if there else None, reason="" if there else "no"
        )

    rows = pd.DataFrame({"row": [1, 2], "archive": ["x", "x"], "member": ["a.png", "b.png"]})
    square = square_reader(read, rows, 16, keep=2)
    for _ in range(3):
        assert square(1)[0].shape == (16, 16, 3)
        assert square(2) == (None, "no")
    assert square(7) == (None, "not in inputs/rows")
    assert asked == [("x", "a.png"), ("x", "b.png")]
