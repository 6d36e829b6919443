"""Our labels in the authors' layout."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from verbatim.io.authors import labels_table, read_labels
from verbatim.io.parquet import write_parquet
from verbatim.io.records import SCHEMAS
from verbatim.labels.authors_layout import to_release


@pytest.fixture
def labels():
    """Five copies of all kinds, one of them set aside, one N, one missing, one without a row."""
    kinds = ["TV", "MV", "RV", "TV", "RV", "N", "missing", "MV"]
    n = len(kinds)
    frame = SCHEMAS["labels"].empty_table().to_pandas().reindex(range(n))
    return frame.assign(
        prompt_id=np.arange(100, 100 + n), caption=[f"c{i}" for i in range(n)],
        row=[50, 10, 20, 30, 40, 60, 70, -1], label=kinds, seed=[3, 1, 2, 0, 2, 0, -1, 1],
        source_row=[5, 10, 6, 5, 7, 8, -1, 9], review=[False] * 4 + [True] + [False] * 3,
        distance=0.1, distance_mv=[0.2, 0.1, 0.5, 0.3, 0.4, 0.6, np.nan, 0.1],
        mask_file=[f"{100 + i}.png" if i in (0, 1, 3) else "" for i in range(n)], extra=False,
    )  # fmt: skip


@pytest.fixture
def release(labels):
    rows = [5, 6, 7, 8, 9, 10, 20, 30, 40, 50]
    return to_release(labels, pd.Series([f"https://x.invalid/{r}" for r in rows], index=rows))


def test_a_release_is_read_back_by_row_with_the_kinds_that_table_1_counts(release, tmp_path):
    write_parquet(tmp_path / "labels.parquet", labels_table(release.labels))
    out = read_labels(tmp_path / "labels.parquet").set_index("row")
    assert out["overfit_type"].to_dict() == {
        10: "MV",
        20: "RV",
        30: "TV",
        40: "N",
        50: "TV",
        60: "N",
    }
    assert out["gen_seeds"].to_dict() == {10: [], 20: [2], 30: [0], 40: [], 50: [3], 60: []}
    assert out.loc[20, "retrieved_urls"] == ["https://x.invalid/6"]
    assert out.loc[10, "retrieved_urls"] == []
    assert out.loc[10, "url"] == "https://x.invalid/10"
    assert out.loc[60, "url"] == ""
    # 256 x 256 x 3 values, each 0.1 off on average
    assert out.loc[10, "mse_real_gen"] == pytest.approx(1966.08)
    assert release.left_out == (1, 1)


def test_template_indices_point_at_the_source_and_the_mask_of_this_prompt(release):
    indices = release.labels.set_index("row")["template_indices"]
    for row, prompt in ((30, 103), (50, 100)):
        [[at]] = indices[row]
        one = release.templates.loc[at]
        assert one["mask_file"] == f"templates/masks/{prompt}.png"
        assert one["img_file"] == "templates/images/5.png"
        assert one["url"] == "https://x.invalid/5"
    assert len(release.templates) == 2
    assert indices[20] == []


def test_retrieved_images_are_those_of_counted_retrieved_verbatims(release):
    assert release.retrieved.to_dict("records") == [
        {"url": "https://x.invalid/6", "img_file": "retrieved/images/6.png"}
    ]
    assert release.images == {
        "templates/images/5.png": "5.png", "retrieved/images/6.png": "6.png",
    }  # fmt: skip
    assert set(release.masks.values()) == {"100.png", "103.png"}


def test_labels_without_any_copy_make_a_release_too(labels, tmp_path):
    release = to_release(labels.assign(label="N"), pd.Series({}, dtype=object))
    write_parquet(tmp_path / "labels.parquet", labels_table(release.labels))
    assert set(read_labels(tmp_path / "labels.parquet")["overfit_type"]) == {"N"}
    assert release.templates.empty
    assert release.retrieved.empty
