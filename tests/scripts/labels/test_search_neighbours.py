"""Rule search_neighbours, with a made embedder: the nearest row is the image of the same colour."""

from __future__ import annotations

import zipfile

import faiss
import numpy as np
import pandas as pd
import pytest
from colour_embedder import ColourEmbedder

import verbatim.models.clip
from verbatim.io.images import ImageArchive, generation_name, write_archive
from verbatim.io.records import read_table, write_table


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", ColourEmbedder)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(3))
    index.add_with_ids(np.eye(3, dtype=np.float32), np.array([100, 200, 300]))
    faiss.write_index(index, str(tmp_path / "index.faiss"))
    (tmp_path / "open_clip_config.json").write_text("{}")
    colours = np.eye(3, dtype=np.float32)
    write_archive(
        tmp_path / "images.zip",
        [
            (generation_name(i, seed), np.broadcast_to(colours[(i + seed) % 3], (8, 8, 3)))
            for i in range(2)
            for seed in range(2)
        ],
    )
    return tmp_path


def run(world, run_script, ids):
    n = len(ids)
    selection = pd.DataFrame(
        {
            "prompt_id": pd.Series(ids, dtype="int64"), "caption": pd.Series(["c"] * n, dtype=str),
            "row": range(n), "extra": False, "why": "dcs",
        }
    )  # fmt: skip
    write_table(world / "selection.parquet", "selection", selection)
    run_script(
        "labels/search_neighbours.py",
        input={
            "selection": world / "selection.parquet", "images": world / "images.zip",
            "index": world / "index.faiss", "clip": world / "open_clip_config.json",
        },
        output={"neighbours": world / "neighbours.parquet"},
        params={"seeds": [0, 1], "neighbours": 2, "batch": 3},
    )  # fmt: skip
    return read_table(world / "neighbours.parquet", "neighbours")


def test_the_nearest_rows_of_every_image_are_found_across_batches(world, run_script):
    table = run(world, run_script, [0, 1])
    assert len(table) == 8
    first = table[table["order"] == 0].set_index(["prompt_id", "seed"])["row"].to_dict()
    assert first == {(0, 0): 100, (0, 1): 200, (1, 0): 200, (1, 1): 300}
    assert (table.loc[table["order"] == 0, "similarity"] > 0.99).all()


def test_a_image_that_cannot_be_read_has_no_neighbours_and_is_named_in_the_log(world, run_script):
    with ImageArchive(world / "images.zip") as archive:
        members = {name: archive.read_bytes(name) for name in archive.names()}
    with zipfile.ZipFile(world / "images.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, b"no image" if name == generation_name(1, 0) else data)
    table = run(world, run_script, [0, 1, 2])  # prompt 2 was never made
    assert set(zip(table["prompt_id"], table["seed"], strict=True)) == {(0, 0), (0, 1), (1, 1)}
    text = (world / "job.log").read_text()
    assert "generation 1_0.png has no neighbours: broken image" in text
    assert "generation 2_0.png" in text


def test_no_candidate_makes_an_empty_table(world, run_script):
    assert run(world, run_script, []).empty
