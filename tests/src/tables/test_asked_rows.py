"""A row that was asked for over HTTP beside the row by direct calls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageArchive, generation_name, write_archive
from verbatim.tables.asked_rows import compare_images, compare_labels


def image(level: int, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


def archive(path, **members):
    """An archive of prompt 7: members by seed, as in s0=image(3)."""
    rows = [(generation_name(7, int(name[1:])), made) for name, made in members.items()]
    write_archive(path, [*rows, (generation_name(8, 0), image(250))])
    return ImageArchive(path)


@pytest.mark.parametrize(
    ("asked", "direct", "told"),
    [
        ({"s0": image(9), "s1": image(9)}, {"s0": image(9), "s1": image(10)}, (2, 0, 1, 1)),
        ({"s0": image(9)}, {"s0": image(200)}, (1, 0, 0, 191)),
        ({"s0": image(9)}, {"s0": image(9, 6)}, (1, 0, 0, 255)),
        ({"s0": image(9), "s1": "refused"}, {"s0": image(9), "s1": image(9)}, (1, 1, 1, 0)),
    ],
)  # fmt: skip
def test_images_are_compared_by_prompt_and_seed_and_what_one_row_has_alone_is_counted(
    tmp_path, asked, direct, told
):
    with archive(tmp_path / "a", **asked) as one, archive(tmp_path / "b", **direct) as other:
        found = compare_images(one, other, {7})
    assert (found["images"], found["alone"], found["equal"], found["largest"]) == told


def test_where_no_image_is_shared_there_is_no_difference_to_tell(tmp_path):
    with archive(tmp_path / "a", s0=image(1)) as one, archive(tmp_path / "b", s1=image(1)) as other:
        found = compare_images(one, other, {7})
    assert (found["images"], found["alone"], found["equal"]) == (0, 2, 0)
    assert np.isnan(found["largest"])


def labels(*rows):
    return pd.DataFrame(rows, columns=["prompt_id", "label", "review"])


def test_labels_are_compared_prompt_by_prompt_and_copies_are_counted_as_in_table_1():
    asked = labels((1, "MV", False), (2, "TV", False), (3, "N", False), (4, "RV", True))
    direct = labels((3, "RV", False), (1, "MV", False), (2, "TV", False), (4, "RV", False), (5, "MV", False))  # fmt: skip
    assert compare_labels(asked, direct) == {
        "prompts": 4, "other_label": 2,
        "retrieved": 0, "template": 1, "exact": 1,
        "retrieved_direct": 2, "template_direct": 1, "exact_direct": 1,
    }  # fmt: skip
