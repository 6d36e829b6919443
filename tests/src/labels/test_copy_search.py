"""The nearest training images by a copy descriptor: of equal files one row, beside a naive search, unreadable ones left out."""

import logging

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageError
from verbatim.labels.copy_search import describe_named, list_originals, nearest_images

RNG = np.random.default_rng(0)


def unit(n: int, d: int = 4) -> np.ndarray:
    x = RNG.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_of_equal_files_the_lowest_row_stands_and_unread_ones_are_left_out():
    files = {"9.png": b"a", "3.png": b"b", "4.png": b"a", "7.png": b"c"}
    fetched = pd.DataFrame(
        {"row": [9, 3, 4, 7, 1], "member": ["9.png", "3.png", "4.png", "7.png", ""],
         "status": ["ok", "ok", "ok", "ok", "missing"]}
    )  # fmt: skip
    assert list_originals(fetched, files.__getitem__) == {3: "3.png", 4: "4.png", 7: "7.png"}


def test_the_nearest_images_are_those_of_a_naive_search():
    queries, training, rows = unit(6), unit(9), [40, 11, 70, 2, 33, 5, 61, 8, 27]
    keys = [(i // 2, i % 2) for i in range(6)]
    table = nearest_images(keys, queries, rows, training, 3)
    dots = queries @ training.T
    for (prompt, seed), values in zip(keys, dots, strict=True):
        order = np.argsort(-values)[:3]
        found = table[table["prompt_id"].eq(prompt) & table["seed"].eq(seed)]
        assert found["order"].tolist() == [0, 1, 2]
        assert found["row"].tolist() == [rows[i] for i in order]
        np.testing.assert_allclose(found["similarity"], values[order], atol=1e-6)


@pytest.mark.parametrize("side", ["queries", "training"])
def test_nothing_to_compare_makes_an_empty_table(side):
    keys = [] if side == "queries" else [(0, 0)]
    rows = [] if side == "training" else [5]
    assert nearest_images(keys, unit(len(keys)), rows, unit(len(rows)), 2).empty


def test_images_are_described_in_lots_and_one_that_cannot_be_read_is_named(caplog):
    lots: list[int] = []

    def read(name: str) -> np.ndarray:
        if name == "c":
            raise KeyError(name)
        if name == "e":
            raise ImageError("broken")
        return np.full((2, 2, 3), ord(name) / 255.0)

    def describe(images):
        lots.append(len(images))
        return np.array([[image[0, 0, 0] * 255] for image in images], np.float32)

    named = [(i, name) for i, name in enumerate("abcdef")]
    with caplog.at_level(logging.WARNING):
        keys, vectors = describe_named(named, read, describe, 3)
    assert keys == [0, 1, 3, 5]
    assert vectors[:, 0].round().tolist() == [ord(name) for name in "abdf"]
    assert lots == [3, 1]
    assert "c is not described" in caplog.text
    assert "e is not described" in caplog.text
    assert describe_named([], read, describe, 3)[1].shape == (0, 0)
