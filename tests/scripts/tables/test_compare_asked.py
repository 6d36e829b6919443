"""Rule compare_asked: a row that was asked for over HTTP beside the row whose prompts it has."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.io.images import generation_name, write_archive
from verbatim.io.records import SCHEMAS, write_table


def write_row(folder, level, label):
    """labels.parquet and images.zip of one prompt of two seeds."""
    folder.mkdir()
    frame = SCHEMAS["labels"].empty_table().to_pandas().reindex(range(1))
    blank = {"int": 0, "float": 0.0, "double": 0.0, "string": "", "bool": False}
    for field in SCHEMAS["labels"]:
        frame[field.name] = next(blank[word] for word in blank if word in str(field.type))
    write_table(folder / "labels.parquet", "labels", frame.assign(prompt_id=7, label=label))
    images = ((generation_name(7, seed), np.full((4, 4, 3), level, np.uint8)) for seed in (0, 1))
    write_archive(folder / "images.zip", images)


def compare(run_script, folder, models):
    run_script(
        "tables/compare_asked.py",
        {
            "labels": [folder / one / "labels.parquet" for one, _ in models],
            "direct_labels": [folder / other / "labels.parquet" for _, other in models],
            "images": [folder / one / "images.zip" for one, _ in models],
            "direct_images": [folder / other / "images.zip" for _, other in models],
        },
        {"table": folder / "asked.csv"},
        {"pairs": models},
    )
    return pd.read_csv(folder / "asked.csv")


def test_each_pair_has_a_line_with_images_labels_and_counts(run_script, tmp_path):
    write_row(tmp_path / "web", 100, "MV")
    write_row(tmp_path / "sd1", 101, "MV")
    write_row(tmp_path / "sd2", 3, "N")
    table = compare(run_script, tmp_path, [("web", "sd1"), ("web", "sd2")])
    assert table["direct"].tolist() == ["sd1", "sd2"]
    assert table["images"].tolist() == [2, 2]
    assert table["largest"].tolist() == [1, 97]
    assert table["other_label"].tolist() == [0, 1]
    assert table[["exact", "exact_direct"]].values.tolist() == [[1, 1], [1, 0]]


def test_a_run_that_asks_nobody_has_a_table_without_rows(run_script, tmp_path):
    table = compare(run_script, tmp_path, [])
    assert table.empty
    assert "largest" in table.columns
