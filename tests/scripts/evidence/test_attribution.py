"""Rules build_attribution and search_attribution, on a made-up run."""

from __future__ import annotations

import io
import json
import re
import tarfile

import faiss
import made_evidence as made
import numpy as np
import pandas as pd
import pytest
from colour_embedder import ColourEmbedder
from PIL import Image

import verbatim.models.clip
from verbatim.io.images import decode_image, encode_png
from verbatim.io.keys import prompt_id
from verbatim.io.records import MANIFEST, read_table, write_table

LABELS = {
    "preset": "paper", "thresholds": {"mv": 0.12, "rv": 0.12, "tv": 0.12}, "order": ["MV", "RV", "TV"],
    "size": made.SIZE, "mask": made.MASK, "guards": made.GUARDS,
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    made.write_labels(tmp_path)
    row = dict.fromkeys(MANIFEST, "") | {
        "shard": "00000",
        "rows": 25,
        "first_row": 0,
        "dim": 3,
        "metadata_row": 0,
    }
    pd.DataFrame([row]).to_csv(tmp_path / "inputs/manifest.tsv", sep="\t", index=False)
    return tmp_path


def shared(root):
    return {
        "clusters": root / "dedup/clusters.parquet", "stats": root / "dedup/cluster_stats.parquet",
        "manifest": root / "inputs/manifest.tsv", "rows": [root / "inputs/rows/00000.parquet"], "known_prompts": [],
    }  # fmt: skip


@pytest.mark.slow
def test_every_generation_is_attributed_and_a_copy_names_its_source(root, run_script):
    folder = root / "labels/sd1"
    names = ("labels", "neighbours", "relatives", "fetched")
    run_script(
        "evidence/build_attribution.py",
        input=shared(root) | {name: folder / f"{name}.parquet" for name in names}
        | {name: folder / f"{name}.zip" for name in ("images", "training")},
        output={"attribution": root / "attribution.json"},
        params=LABELS | {"images": "full", "only": [], "seeds": made.SEEDS, "model": {"model": "sd1"}, "nearest": 3},
    )  # fmt: skip
    told = json.loads((root / "attribution.json").read_text("utf-8"))["generations"]
    assert len(told) == made.N * len(made.SEEDS)
    by = {(one["prompt_id"], one["seed"]): one for one in told}
    exact = by[made.IDS[0], 0]
    assert (exact["label"], exact["source_row"]) == ("MV", 0)
    assert exact["prompt"] == made.EVIL
    assert exact["nearest"][0]["url"] == "https://images.example/0?a=<b>"
    assert by[made.IDS[0], 1]["is_copy"] is False  # the other seed is none
    assert by[made.IDS[3], 0]["is_copy"] is True


def test_a_users_image_is_told_its_nearest_training_image_and_whether_it_copies_it(
    root, run_script, monkeypatch
):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", ColourEmbedder)
    colours = {20: (0.9, 0.1, 0.1), 21: (0.1, 0.9, 0.1), 22: (0.1, 0.1, 0.9)}
    rng = np.random.default_rng(0)
    images = {
        row: np.clip(np.array(c) + rng.normal(0, 0.25, (32, 32, 3)), 0, 1).astype(np.float32)
        for row, c in colours.items()
    }
    with tarfile.open(root / "a.tar", "w") as tar:
        for row, image in images.items():
            data = encode_png(image)
            info = tarfile.TarInfo(f"{row}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    rows = read_table(root / "inputs/rows/00000.parquet", "rows")
    rows["archive"], rows["member"] = str(root / "a.tar"), rows["row"].astype(str)
    write_table(root / "inputs/rows/00000.parquet", "rows", rows)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(3))
    index.add_with_ids(np.eye(3, dtype=np.float32), np.array(list(colours)))
    faiss.write_index(index, str(root / "index.faiss"))
    (root / "open_clip_config.json").write_text("{}")
    write_table(
        root / "pairs.parquet", "pairs", {"row_a": [20], "row_b": [21], "similarity": [0.5]}
    )
    write_table(root / "copies.parquet", "copies", {"row": [], "first": []})
    asked = root / "asked"
    asked.mkdir()
    Image.fromarray((images[20] * 255).astype(np.uint8)).save(asked / "copy.png")
    Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(asked / "noise.png")
    (asked / "broken.png").write_bytes(b"no image")

    def run(level="full", only=()):
        run_script(
            "evidence/search_attribution.py",
            input=shared(root) | {
                "index": [root / "index.faiss"], "clip": root / "open_clip_config.json",
                "pairs": [root / "pairs.parquet"], "copies": root / "copies.parquet", "archives": [root / "a.tar"],
            },
            output={"attribution": root / "asked.json", "sheet": root / "sheet.png"},
            params=LABELS | {
                "images": level, "only": list(only), "asked": str(asked), "state": "", "nearest": 2, "batch": 2,
                "neighbours": 3, "relatives": 2,
            },
        )  # fmt: skip
        told = json.loads((root / "asked.json").read_text("utf-8"))["generations"]
        return {one["file"].rpartition("/")[2]: one for one in told}, decode_image(
            (root / "sheet.png").read_bytes()
        )

    told, sheet = run()
    assert (told["copy.png"]["label"], told["copy.png"]["source_row"]) == ("RV", 20)
    assert told["copy.png"]["nearest"][0]["distance"] < 0.01
    assert told["copy.png"]["nearest"][0]["caption"] == "thing 20"
    assert told["noise.png"]["label"] == "N"
    assert told["broken.png"]["label"] == "missing"
    told_in_log = (root / "job.log").read_text()
    assert re.search(r"copy\.png: a copy of a training image.*; nearest: row 20", told_in_log)
    hidden, other = run("none")
    assert hidden["copy.png"]["source_row"] == 20
    assert {one["url"] for one in hidden["copy.png"]["nearest"]} == {""}
    assert (other == 1).mean() > (sheet == 1).mean()  # white where a training image was
    assert prompt_id("thing 20") > 0
