"""Rule check_copies: planted copies are verified, also where the labels say N."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from evidence_rules import check_copies
from made_evidence import GUARDS, IDS, KINDS, TEST, close_system, make_labels, write_labels

from verbatim.io.images import ImageArchive, generation_name, row_name, write_archive
from verbatim.io.records import read_table, write_table
from verbatim.io.seals import DamagedError


@pytest.fixture(scope="module")
def table(verified):
    return read_table(verified / "evidence/sd1/verification.parquet", "verification")


@pytest.mark.slow
def test_every_candidate_has_a_row_in_the_order_of_the_labels(table):
    assert table["prompt_id"].tolist() == IDS
    assert table["label"].tolist() == make_labels()["label"].tolist()
    assert table["status"].eq("ok").all()


def test_what_was_planted_is_verified_and_nothing_else(table):
    assert table.index[table["verified"]].tolist() == sorted(KINDS)
    assert table.loc[[1, 2], "label"].tolist() == ["N", "N"]  # the crop and the mirrored copy
    assert table.loc[sorted(KINDS), "source_row"].tolist() == sorted(KINDS)
    assert table.loc[2, "flip"]
    assert table.loc[1, "side"] > 1.1


def test_p_is_the_best_pairs_times_the_pairs_and_q_is_over_the_prompts(table):
    assert (table["n_pairs"] == 4).all()  # two seeds, own image and one neighbour
    assert table["p"].tolist() == pytest.approx((table["p_pair"] * 4).clip(upper=1).tolist())
    assert (table["q"] >= table["p"]).all()
    assert table["n_null"].nunique() == 1
    assert table["p_pair"].min() >= 1 / (1 + table["n_null"].iloc[0])


def test_the_labels_are_left_as_they_are(verified):
    labels = read_table(verified / "labels/sd1/labels.parquet", "labels")
    pd.testing.assert_frame_equal(labels, make_labels(), check_dtype=False)


def changed(folder, name, change):
    """Rewrite an archive of images with one of them changed; None takes it out."""
    with ImageArchive(folder / f"{name}.zip") as archive:
        members = {member: archive.read(member) for member in archive.names()}
    write_archive(
        folder / f"{name}.zip", [(k, v) for k, v in (members | change).items() if v is not None]
    )


@pytest.mark.slow
def test_a_match_with_a_placeholder_or_a_flat_image_is_doubted(tmp_path):
    folder = write_labels(tmp_path)
    texts = ["sunset over lisbon", "cheap red shoes", "doctor who", "kitchen table", "blue whale"]
    fetched = read_table(folder / "fetched.parquet", "fetched")
    more = fetched.iloc[[0] * 5].assign(row=range(100, 105), caption=texts, member=row_name(0))
    write_table(folder / "fetched.parquet", "fetched", pd.concat([fetched, more]))
    almost = np.full((32, 32, 3), 0.9, np.float32)
    almost[8:24, 8:24] = 0.6  # two plain areas
    changed(folder, "images", {generation_name(IDS[2], 0): almost})
    changed(folder, "training", {row_name(2): almost})
    path = check_copies(tmp_path, placeholder={"captions": 5, "overlap": 0.1}, guards=GUARDS | {"near_constant": 0.8})  # fmt: skip
    table = read_table(path, "verification")
    assert table.loc[0, "doubt"] == "training image: placeholder"
    assert "flat" in table.loc[2, "doubt"]
    assert (table.loc[[0, 2], "q"] <= 0.05).all()
    assert not table.loc[[0, 2], "verified"].any()
    assert table.loc[1, "verified"]


@pytest.mark.slow
def test_what_cannot_be_read_is_missing_and_compared_with_nothing(tmp_path):
    folder = write_labels(tmp_path)
    lost = {generation_name(IDS[0], seed): None for seed in (0, 1)}
    changed(folder, "images", lost | {generation_name(IDS[1], 1): None})
    changed(folder, "training", {row_name(2): None})
    with pytest.raises(DamagedError, match=r"training\.zip: damaged \(2\.png is missing, which"):
        check_copies(tmp_path, test=TEST | {"alpha": 0.1})
    fetched = read_table(folder / "fetched.parquet", "fetched")
    fetched.loc[fetched["row"] == 2, ["member", "status"]] = ["", "missing"]
    write_table(folder / "fetched.parquet", "fetched", fetched)
    table = read_table(check_copies(tmp_path, test=TEST | {"alpha": 0.1}), "verification")
    assert table.loc[0, "status"] == "missing"
    assert np.isnan(table.loc[0, "p"])
    assert table["n_pairs"].tolist()[:4] == [0, 1, 2, 4]  # 1 tests against image 2, which is lost
    assert table.loc[[1, 3], "verified"].all()


@pytest.mark.slow
def test_too_few_unrelated_images_find_nothing_and_say_so(tmp_path):
    write_labels(tmp_path)
    table = read_table(check_copies(tmp_path, test=TEST | {"least": 1000}), "verification")
    assert table["status"].eq("no null").all()
    assert table["p"].isna().all()
    assert not table["verified"].any()


@pytest.mark.slow
def test_a_closed_systems_images_are_compared_by_the_seeds_that_each_prompt_has(table, tmp_path):
    own = close_system(write_labels(tmp_path))
    found = read_table(check_copies(tmp_path, seeds=[]), "verification")
    assert found.index[found["verified"]].tolist() == [*sorted(KINDS), 9]
    assert found["seed"].tolist()[:4] == [4711, 4721, 4731, 4741]
    assert all(seed in own[i] for i, seed in enumerate(found["seed"]))
    assert found.loc[9, ["seed", "source_row", "flip"]].tolist() == [99999, 9, True]
    assert found["n_pairs"].tolist() == [5 if i == 9 else 4 for i in range(len(IDS))]
    columns = ["source_row", "crop", "flip", "side", "residual"]
    planted = sorted(KINDS)
    pd.testing.assert_frame_equal(found.loc[planted, columns], table.loc[planted, columns])


def test_no_candidate_gives_an_empty_table(tmp_path):
    folder = write_labels(tmp_path)
    write_table(folder / "labels.parquet", "labels", make_labels()[:0])
    assert read_table(check_copies(tmp_path), "verification").empty
