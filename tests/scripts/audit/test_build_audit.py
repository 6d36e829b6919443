"""Rule build_audit: from a folder to the images and captions that are asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from verbatim.audit.image_folders import AuditInputError
from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table

PARAMS = {
    "state": "", "least_side": 32, "stored_side": 512, "duplicate": 0.02255, "least_prompts": 6, "generations": 4,
    "rows_a_generation": 16, "seeds": [0, 1], "size": 64, "thresholds": {"mv": 0.12},
    "guards": {
        "near_constant": 0.98, "flat_range": 0.03, "white": 0.95, "edge_density": 0.9, "edge_step": 0.1,
    },
}  # fmt: skip


def noise(seed):
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((64, 64), Image.Resampling.NEAREST)


def run(tmp_path, run_script):
    (tmp_path / "reference.txt").write_text("\n".join(f"reference {i}" for i in range(9)))
    names = ("images", "archive", "prompts")
    output = dict(zip(names, ("images.parquet", "images.zip", "prompts.parquet"), strict=True))
    run_script(
        "audit/build_audit.py",
        input={"reference": tmp_path / "reference.txt", "sample": tmp_path / "folder", "captions": []},
        output={name: tmp_path / file for name, file in output.items()},
        params=PARAMS | {"folder": "world"},
    )  # fmt: skip
    images = read_table(tmp_path / "images.parquet", "audit_images").set_index("file")
    return images, read_table(tmp_path / "prompts.parquet", "selection")


@pytest.mark.slow
def test_duplicates_are_one_image_and_captions_are_asked_once(tmp_path, run_script):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, seed in (("a", 0), ("b", 1), ("c", 0), ("d", 2)):
        noise(seed).save(folder / f"{name}.png")
    noise(0).save(folder / "e.jpg", quality=95, subsampling=0)
    rows = [(f"{name}.png", f"caption {name}") for name in "abc"] + [
        ("d.png", "caption a"),
        ("e.jpg", "caption e"),
    ]
    pd.DataFrame(rows, columns=["file_name", "text"]).to_csv(folder / "metadata.csv", index=False)
    images, prompts = run(tmp_path, run_script)
    assert images["duplicate_of"].tolist() == [-1, -1, 0, -1, 0]
    assert prompts["caption"].tolist()[:4] == ["caption a", "caption b", "caption c", "caption e"]
    assert prompts["extra"].sum() == 2
    assert (
        "24 generations of 6 captions, 2 of them for reference"
        in (tmp_path / "job.log").read_text()
    )
    with ImageArchive(tmp_path / "images.zip") as archive:
        assert archive.read("1.png").shape == (64, 64, 3)


def test_where_no_image_can_be_tested_the_reasons_are_told(tmp_path, run_script):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"nothing")
    Image.new("RGB", (64, 64)).save(folder / "b.png")
    for name in "ab":
        (folder / f"{name}.txt").write_text("a caption")
    with pytest.raises(
        AuditInputError, match=r"none of its 2 images can be tested: .*broken.*plain"
    ):
        run(tmp_path, run_script)
