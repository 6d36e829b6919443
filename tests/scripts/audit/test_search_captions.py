"""Rule search_captions, with a made embedder: an image without a caption gets that of the row of its colour."""

from __future__ import annotations

import json

import faiss
import numpy as np
import pandas as pd
import pytest
from colour_embedder import ColourEmbedder
from PIL import Image

import verbatim.models.clip
from verbatim.audit.image_folders import read_folder
from verbatim.io.records import write_table


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", ColourEmbedder)
    found = faiss.IndexIDMap2(faiss.IndexFlatIP(3))
    found.add_with_ids(np.eye(3, dtype=np.float32), np.array([0, 1, 2]))
    faiss.write_index(found, str(tmp_path / "index.faiss"))
    (tmp_path / "open_clip_config.json").write_text("{}")
    rows = pd.DataFrame({"row": range(3), "caption": ["red", '=green, "so"', "blue\nsky"]})
    texts = {name: "" for name in ("url", "archive", "member", "reason")}
    table = rows.assign(width=8, height=8, status="ok", **texts)
    write_table(tmp_path / "rows.parquet", "rows", table)
    return tmp_path


def test_captions_come_from_the_nearest_rows_and_only_where_there_are_none(index, run_script):
    folder = index / "images"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "lime"), ("c", "blue"), ("d", "blue")):
        Image.new("RGB", (40, 40), colour).save(folder / f"{name}.png")
    (folder / "d.txt").write_text("its own")
    (folder / "e.png").write_bytes(b"no image")
    run_script(
        "audit/search_captions.py",
        input={
            "index": index / "index.faiss", "rows": [index / "rows.parquet"],
            "clip": index / "open_clip_config.json",
        },
        output={"captions": index / "captions.jsonl"},
        params={"folder": str(folder), "state": "", "batch": 2},
    )  # fmt: skip
    told = [json.loads(line) for line in (index / "captions.jsonl").read_text().splitlines()]
    assert [one["row"] for one in told] == [0, 1, 2]
    found = {one.name: one.caption for one in read_folder(folder, index / "captions.jsonl")}
    assert found == {
        "a.png": "red", "b.png": '=green, "so"', "c.png": "blue sky", "d.png": "its own", "e.png": None,
    }  # fmt: skip
    assert "e.png has no caption" in (index / "job.log").read_text()
