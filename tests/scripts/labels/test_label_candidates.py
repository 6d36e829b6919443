"""Rule label_candidates: from archives and tables to labels and masks."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageArchive, encode_png, generation_name, row_name, write_archive
from verbatim.io.missing import MissingError
from verbatim.io.records import read_table, write_table

PARAMS = {
    "preset": "paper",
    "thresholds": {"mv": 0.12, "rv": 0.12, "tv": 0.12},
    "order": ["MV", "RV", "TV"],
    "seeds": [0, 1],
    "size": 16,
    "mask": {
        "low": 0.02255, "high": 0.2, "difference": 0.03, "erode": 1, "dilate": 1, "min_area": 0.3,
        "partners": 1, "sources": 10,
    },
    "guards": {
        "near_constant": 0.98, "flat_range": 0.03, "white": 0.95, "edge_density": 0.9,
        "edge_step": 0.1,
    },
}  # fmt: skip


def image(seed):
    coarse = np.random.default_rng(seed).random((4, 4, 3), dtype=np.float32)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def recoloured(source, by):
    other = source.copy()
    other[:8, :8] = np.abs(other[:8, :8] - by)
    return other


@pytest.fixture
def files(tmp_path):
    own, other, template = image(1), image(2), image(3)
    wide = np.concatenate([np.zeros((16, 8, 3)), own, np.zeros((16, 8, 3))], axis=1)
    # prompt: 1 copies its own image, 2 another's, 3 a template, 4 a centre crop, 5 nothing readable
    made = {1: own, 2: other, 3: recoloured(template, 0.9), 4: own, 5: own}
    write_archive(
        tmp_path / "images.zip",
        [(generation_name(i, seed), p) for i, p in made.items() for seed in (0, 1)],
    )
    kept = {10: own, 20: image(9), 21: other, 30: image(8), 31: template, 40: wide}
    kept[32] = recoloured(template, 0.3)
    with zipfile.ZipFile(tmp_path / "training.zip", "w") as archive:
        for row, p in kept.items():
            archive.writestr(row_name(row), encode_png(p))
        archive.writestr(row_name(50), b"broken")
    captions = {10: "c1", 20: "c2", 30: "c3", 40: "c4", 50: "c5"}
    fetched = [(row, captions.get(row, "other"), row_name(row), "ok", "") for row in [*kept, 50]]
    fetched.append((51, "other", "", "missing", "no archive holds this row"))
    write_table(
        tmp_path / "fetched", "fetched",
        pd.DataFrame(fetched, columns=["row", "caption", "member", "status", "reason"]),
    )  # fmt: skip
    neighbours = [(2, 0, 0, 21, 0.9), (3, 1, 0, 31, 0.9), (5, 0, 0, 51, 0.9)]
    write_table(
        tmp_path / "neighbours", "neighbours",
        pd.DataFrame(neighbours, columns=["prompt_id", "seed", "order", "row", "similarity"]),
    )  # fmt: skip
    relatives = pd.DataFrame({"row": [31], "relative": [32], "similarity": [0.9], "order": [0]})
    write_table(tmp_path / "relatives", "relatives", relatives)
    return tmp_path


def run(files, run_script, ids, shard="00000", **changes):
    n = len(ids)
    selection = pd.DataFrame(
        {
            "prompt_id": pd.Series(ids, dtype="int64"),
            "caption": pd.Series([f"c{i}" for i in ids], dtype=str),
            "row": pd.Series([i * 10 for i in ids], dtype="int64"),
            "extra": pd.Series([False] * n, dtype=bool), "why": pd.Series(["dcs"] * n, dtype=str),
        }
    )  # fmt: skip
    write_table(files / "selection", "selection", selection)
    run_script(
        "labels/label_candidates.py",
        input={
            "selection": files / "selection", "images": files / "images.zip",
            "neighbours": files / "neighbours", "training": files / "training.zip",
            "fetched": files / "fetched", "relatives": files / "relatives",
        },
        output={"labels": files / "labels.parquet", "masks": files / "masks.zip"},
        params={**PARAMS, "prompts_a_shard": 100, "last": True} | changes,
        wildcards={"model": "tiny", "shard": shard},
    )  # fmt: skip
    return read_table(files / "labels.parquet", "labels")


def test_each_prompt_gets_its_label_source_and_crop(files, run_script):
    table = run(files, run_script, [1, 2, 3, 4, 5]).set_index("prompt_id")
    assert table["label"].to_dict() == {1: "MV", 2: "RV", 3: "TV", 4: "MV", 5: "missing"}
    assert table["source_row"].drop(3).to_dict() == {1: 10, 2: 21, 4: 40, 5: -1}
    assert table.loc[3, "source_row"] in (31, 32)  # under their mask the two are one
    assert table["crop"].to_dict() == {1: "whole", 2: "whole", 3: "whole", 4: "center", 5: ""}
    assert table["status"].to_dict() == {1: "ok", 2: "ok", 3: "ok", 4: "ok", 5: "missing"}
    assert not table["review"].any()


def test_the_mask_of_a_template_is_stored_under_the_prompts_name(files, run_script):
    table = run(files, run_script, [1, 3]).set_index("prompt_id")
    assert table["mask_file"].to_dict() == {1: "", 3: "3.png"}
    with ImageArchive(files / "masks.zip") as masks:
        assert masks.names() == ["3.png"]
        mask = masks.read("3.png")[..., 0] > 0.5
    assert mask.mean() == table.loc[3, "mask_area"]
    assert mask[8:].all()


def test_rows_that_could_not_be_compared_are_named_in_the_log(files, run_script):
    run(files, run_script, [5])
    text = (files / "job.log").read_text()
    assert "training row 50 not compared: 50.png: broken image" in text
    assert "training row 51 not compared: no archive holds this row" in text
    assert "2 training rows could not be compared" in text


def test_a_stricter_preset_finds_less(files, run_script):
    strict = {"mv": 0.001, "rv": 0.001, "tv": 0.0001}
    darker = [(generation_name(1, seed), image(1) * 0.9) for seed in (0, 1)]
    write_archive(files / "images.zip", darker)
    assert run(files, run_script, [1])["label"].tolist() == ["MV"]
    assert run(files, run_script, [1], thresholds=strict)["label"].tolist() == ["N"]


def test_no_candidate_makes_empty_tables_and_no_masks(files, run_script):
    assert run(files, run_script, []).empty
    with ImageArchive(files / "masks.zip") as masks:
        assert masks.names() == []


def test_shards_merge_into_the_table_and_masks_of_one_job(files, run_script):
    ids = [1, 3, 5, 2, 4]
    whole = run(files, run_script, ids)
    with ImageArchive(files / "masks.zip") as masks:
        names = masks.names()
    labels, masks = [], []
    for i in range(3):  # the last is beyond the selection
        cut = {"prompts_a_shard": 3, "last": i == 2}
        assert len(run(files, run_script, ids, f"{i:05d}", **cut)) == [3, 2, 0][i]
        for name, paths in (("labels.parquet", labels), ("masks.zip", masks)):
            paths.append((files / name).rename(files / f"{i}.{name}"))

    def merge(n):
        run_script(
            "labels/merge_labels.py",
            input={"selection": files / "selection", "labels": labels[:n], "masks": masks[:n]},
            output={"labels": files / "labels.parquet", "masks": files / "masks.zip"},
            params={"most_missing": 1},
            wildcards={"model": "tiny"},
        )

    with pytest.raises(ValueError, match=r"prompt_id 2 \(2 in all\) is only in one of"):
        merge(1)
    merge(3)
    pd.testing.assert_frame_equal(read_table(files / "labels.parquet", "labels"), whole)
    with ImageArchive(files / "masks.zip") as archive:
        assert archive.names() == names == ["3.png"]


def test_most_labels_missing_ends_the_job_with_the_reasons(files, run_script):
    whole = run(files, run_script, [1, 3])
    lost = whole.assign(
        label="missing", status="missing", review_reason="no training image could be read"
    )
    write_table(files / "labels.parquet", "labels", lost)
    selection = lost[["prompt_id", "caption", "row", "extra", "why"]]
    write_table(files / "selection", "selection", selection)
    with pytest.raises(MissingError, match=r"labels are missing or broken(.|\n)*no training image"):
        run_script(
            "labels/merge_labels.py",
            input={"selection": files / "selection", "labels": [files / "labels.parquet"], "masks": []},
            output={"labels": files / "all.parquet", "masks": files / "all.zip"},
            params={"most_missing": 0.5},
            wildcards={"model": "tiny"},
        )  # fmt: skip
    assert not (files / "all.parquet").exists()
