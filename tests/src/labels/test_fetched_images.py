"""Training images by row: read once, in all crops, and unreadable ones on record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageArchive, ImageError, write_archive
from verbatim.io.seals import DamagedError
from verbatim.labels.fetched_images import ComparedRows, FetchedImages


def fetched(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["row", "caption", "member", "status", "reason"])


class Reader:
    def __init__(self, images):
        self.images, self.calls = images, []

    def __call__(self, name):
        self.calls.append(name)
        image = self.images[name]
        if isinstance(image, str):
            raise ImageError(image)
        return image


def test_a_image_that_is_not_square_is_there_in_every_crop_and_read_once():
    reader = Reader(
        {"1.png": np.zeros((8, 8, 3), np.float32), "2.png": np.zeros((8, 4, 3), np.float32)}
    )
    table = fetched((1, "cat", "1.png", "ok", ""), (2, "dog", "2.png", "ok", ""))
    images = FetchedImages(reader, table, 4)
    squares = images.squares([2, 1, 2], "cat", -1)
    assert squares.rows.tolist() == [2, 2, 2, 1]
    assert squares.crops == ["squash", "center", "pad", "whole"]
    assert squares.own.tolist() == [False, False, False, True]
    images.squares([1, 2], "dog", 1)
    assert sorted(reader.calls) == ["1.png", "2.png"]


def test_own_is_the_prompts_row_and_every_row_with_its_caption():
    reader = Reader({f"{i}.png": np.zeros((4, 4, 3), np.float32) for i in (1, 2, 3)})
    table = fetched(
        *[(i, caption, f"{i}.png", "ok", "") for i, caption in ((1, "a"), (2, "b"), (3, "a"))]
    )
    squares = FetchedImages(reader, table, 4).squares([1, 2, 3], "a", 1)
    assert squares.own.tolist() == [True, False, True]


def test_missing_broken_absent_and_unfetched_images_are_left_out_with_their_reason():
    table = fetched(
        (1, "a", "", "missing", "no archive"),
        (2, "a", "2.png", "ok", ""),
        (3, "a", "3.png", "ok", ""),
    )
    images = FetchedImages(Reader({"2.png": "broken image: truncated"}), table, 4)
    squares = images.squares([1, 2, 4], "a", 1)
    assert len(squares.rows) == 0
    assert squares.images.shape == (0, 4, 4, 3)
    assert images.unreadable[1] == "no archive"
    assert "truncated" in images.unreadable[2]
    assert images.unreadable[4] == "not fetched"
    # it was fetched, so that it is not there is no state of the row
    with pytest.raises(DamagedError, match=r"3\.png: damaged .*delete the model's training\.zip"):
        images.squares([3], "a", 1)


def test_a_strip_is_unreadable_before_a_square_is_made_of_it(tmp_path):
    made = {"1.png": np.zeros((1, 60_000, 3)), "2.png": np.zeros((4, 60, 3))}
    write_archive(tmp_path / "training.zip", made.items())
    table = fetched((1, "a", "1.png", "ok", ""), (2, "a", "2.png", "ok", ""))
    with ImageArchive(tmp_path / "training.zip") as archive:
        images = FetchedImages(archive.read, table, 4)
        assert images.squares([1, 2], "a", 1).rows.tolist() == [2, 2, 2]
    assert "60000:1" in images.unreadable[1]


def test_rows_of_a_prompt_are_its_own_its_neighbours_and_their_fetched_relatives_in_this_order():
    relatives = pd.DataFrame(
        {"row": [5, 5, 7], "relative": [9, 8, 6], "similarity": 0.9, "order": [1, 0, 0]}
    )
    table = fetched(*[(i, "x", f"{i}.png", "ok", "") for i in (5, 6, 7, 9)])  # 8 was not fetched
    images = FetchedImages(Reader({}), table, 4)
    neighbours = pd.DataFrame(
        {
            "prompt_id": [1, 1, 1, 2],
            "seed": [0, 1, 0, 0],
            "order": [0, 0, 1, 0],
            "row": [7, 7, 3, 7],
        }
    )
    compared = ComparedRows(neighbours, relatives, images)
    assert compared.of_prompt(1, 5) == [5, 7, 3, 9, 6]
    assert compared.of_prompt(2, -1) == [7, 6]
    assert compared.of_prompt(3, 7) == [7, 6]
