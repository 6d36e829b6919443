"""The rules of the guard one after the other, on a made-up run of five prompts."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import faiss
import made_evidence as made
import numpy as np
import pandas as pd
import pytest
from colour_embedder import ColourEmbedder

import verbatim.models.clip
from verbatim.io.image_store import Images, write_archive_table
from verbatim.io.images import decode_image, encode_png, generation_name, write_archive
from verbatim.io.records import read_table, write_table
from verbatim.io.spreadsheets import read_csv

SEEDS = [0, 1]
N = 24  # prompts; 0 to 3 are trained on, 0 and 1 are copied, 1 without an alarm
COLOURS = np.random.default_rng(0).random((N, 3)).astype(np.float32)


class Embedder(ColourEmbedder):
    def embed_texts(self, captions, batch):
        return np.tile(np.float32([1, 0, 0]), (len(captions), 1))


def drawing(i: int) -> np.ndarray:
    noise = np.random.default_rng(100 + i).random((8, 8, 3)).repeat(4, 0).repeat(4, 1)
    return (0.5 * COLOURS[i % N] + 0.5 * noise).astype(np.float32)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", Embedder)
    ids = np.arange(N)
    prompts = pd.DataFrame(
        {"prompt_id": ids, "caption": [f"thing {i}" for i in ids], "row": np.where(ids < 4, ids, -1), "cluster": -1,
         "cluster_size": 1, "caption_count": 1, "share_equal_captions": 1.0, "extra": ids >= 4, "rank": ids}
    )  # fmt: skip
    write_table(tmp_path / "prompts.parquet", "prompts", prompts)
    scores = pd.DataFrame([(i, seed) for i in ids for seed in SEEDS], columns=["prompt_id", "seed"])
    high = np.where(scores["prompt_id"].isin([0, 2]), 9.0, 1 + 0.01 * scores["prompt_id"])
    for name in ("dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine"):
        scores[name] = high
    write_table(tmp_path / "seeds.parquet", "whitebox_seeds", scores)
    made_images = [
        (generation_name(i, seed), drawing(i) if i < 2 else drawing(1000 + 10 * i + seed))
        for i in ids.tolist() for seed in SEEDS
    ]  # fmt: skip
    write_archive(tmp_path / "images.zip", made_images)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for i in range(4):
            data = encode_png(drawing(i))
            info = tarfile.TarInfo(f"{i}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    rows = pd.DataFrame(
        {"row": range(4), "url": "", "caption": [f"thing {i}" for i in range(4)], "width": 32, "height": 32,
         "archive": str(tmp_path / "a.tar"), "member": [str(i) for i in range(4)], "status": "ok", "reason": ""}
    )  # fmt: skip
    write_table(tmp_path / "rows.parquet", "rows", rows)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(3))
    vectors = np.stack([drawing(i).mean(axis=(0, 1)) for i in range(4)])
    index.add_with_ids(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.arange(4))
    faiss.write_index(index, str(tmp_path / "index.faiss"))
    (tmp_path / "open_clip_config.json").write_text("{}")
    for name in ("pairs", "copies", "clusters"):
        columns = {
            "pairs": ["row_a", "row_b", "similarity"],
            "copies": ["row", "first"],
            "clusters": ["row", "cluster"],
        }
        write_table(
            tmp_path / f"{name}.parquet", name, pd.DataFrame(columns=columns[name], dtype="int64")
        )
    return tmp_path


def alarms(root, run_script, **changes):
    run_script(
        "guard/select_alarms.py",
        {"prompts": root / "prompts.parquet", "scores": root / "seeds.parquet"},
        {"alarms": root / "alarms.parquet"},
        {"score": "wen_first_step", "false_alarms": 0.1, "seed": 0, "seeds": SEEDS} | changes,
    )
    return read_table(root / "alarms.parquet", "guard_alarms")


def test_alarms_are_of_the_score_of_the_same_seed(root, run_script):
    table = alarms(root, run_script)
    assert table.loc[table["prompt_id"].isin([0, 2]), "alarm"].all()
    assert not table.loc[table["prompt_id"].isin([1, 3]), "alarm"].any()
    assert "generations of other prompts never trained on alarm" in (root / "job.log").read_text()
    with pytest.raises(ValueError, match="no seed in common"):
        alarms(root, run_script, seeds=[7])


@pytest.mark.slow
def test_what_each_part_lets_out_is_counted_from_the_images_alone(root, run_script):
    told = alarms(root, run_script)
    stopped = told.loc[told["alarm"], "prompt_id"].unique().tolist()
    again = [
        (generation_name(i, seed), drawing(5000 + 10 * i + seed)) for i in stopped for seed in SEEDS
    ]
    (root / "wen").mkdir()
    write_archive(root / "wen/images.zip", again)
    write_archive_table(
        root / "wen/images.parquet", [(i, root / "wen/images.zip") for i in stopped]
    )
    cost = {"model": "sd1", "prompts": len(stopped), "seconds": 1.0, "preset": "wen"}
    costs = [
        cost | {"stage": "guard", "unet_rows": len(stopped) * (2 * 16 + 40)},
        cost | {"stage": "guard_backward", "unet_rows": 9},
    ]
    write_table(root / "wen/cost.parquet", "costs", pd.DataFrame(costs))
    run_script(
        "guard/label_guarded.py",
        {
            "prompts": root / "prompts.parquet", "alarms": root / "alarms.parquet", "images": root / "images.zip",
            "guarded": [root / "wen/images.parquet"], "index": [root / "index.faiss"],
            "clip": root / "open_clip_config.json", "pairs": [root / "pairs.parquet"],
            "clusters": root / "clusters.parquet", "copies": root / "copies.parquet", "rows": [root / "rows.parquet"],
            "archives": [root / "a.tar"],
        },
        {"checks": root / "checks.parquet"},
        {
            "preset": "paper", "thresholds": {"mv": 0.12, "rv": 0.12, "tv": 0.12}, "order": ["MV", "RV", "TV"],
            "size": 32, "mask": made.MASK, "guards": made.GUARDS, "neighbours": 2, "relatives": 2, "batch": 5,
            "defences": ["wen"], "search_size": 32, "search": made.SEARCH, "judged": 2,
        },
    )  # fmt: skip
    checks = read_table(root / "checks.parquet", "guard_checks")
    bare = checks[checks["defence"] == "none"].set_index(["prompt_id", "seed"])
    assert bare["copy"][bare["copy"]].index.get_level_values(0).tolist() == [0, 0, 1, 1]
    assert bare.loc[(0, 0), ["label", "source_row"]].tolist() == ["MV", 0]
    assert bare.loc[0, "residual"].max() < 0.1 < bare.loc[3, "residual"].min()
    run_script(
        "guard/count_guard.py",
        {
            "alarms": root / "alarms.parquet", "checks": root / "checks.parquet", "costs": [root / "wen/cost.parquet"],
            "clusters": root / "clusters.parquet",
        },
        {"table": root / "guard.csv", "outcomes": root / "outcomes.parquet"},
        {
            "defences": ["wen"], "score": "wen_first_step", "false_alarms": 0.1, "judge": 0.05, "confidence": 0.95,
            "resamples": 50, "bootstrap_seed": 0, "seeds": SEEDS, "rows_a_generation": 16,
        },
        {"model": "sd1"},
    )  # fmt: skip
    table = read_csv(root / "guard.csv")
    copied = table[table["prompts"].eq("copied")].set_index(["policy", "measure"])["value"]
    assert copied["none", "copies let out"] == 1
    assert copied["score", "copies let out"] == 0.5  # prompt 1 does not alarm
    assert copied["check", "copies let out"] == copied["both", "copies let out"] == 0
    assert copied["both", "extra network rows"] == 2 + 40 / 2
    run_script(
        "guard/plot_guard.py",
        {
            "outcomes": root / "outcomes.parquet", "checks": root / "checks.parquet", "images": root / "images.zip",
            "guarded": [root / "wen/images.parquet"], "rows": [root / "rows.parquet"], "archives": [root / "a.tar"],
            "known_prompts": [],
        },
        {"sheet": root / "sheet.png"},
        {"images": "full", "only": [], "defences": ["wen"], "shown": 4, "seed": 0, "size": 32},
    )  # fmt: skip
    sheet = decode_image((root / "sheet.png").read_bytes())
    assert (sheet < 1).mean() > 0.3


@pytest.mark.slow
def test_what_alarms_is_generated_again_with_all_seeds_and_not_twice(root, run_script, tiny_sd):
    told = alarms(root, run_script)
    stopped = told.loc[told["alarm"], "prompt_id"].unique().tolist()

    def run():
        run_script(
            "guard/generate_guarded.py",
            {
                "model": tiny_sd / "model_index.json", "prompts": root / "prompts.parquet",
                "alarms": root / "alarms.parquet",
            },
            {"images": root / "rt/images.parquet", "cost": root / "rt/cost.parquet"},
            {
                "sampler": "euler", "spacing": "karras", "steps": 2, "guidance": 3.0, "batch": 4, "seeds": SEEDS,
                "prompts_a_part": 2, "model": {"model": "sd1", "family": "sd", "source": str(tiny_sd), "dtype": "float32"},
                "inference": {"passes": 2}, "seed": 0, "kept": str(root / "rt/kept"),
            },
            {"model": "sd1", "defence": "rt"},
        )  # fmt: skip
        return (root / "job.log").read_text()

    assert f"{len(stopped)} prompts alarm, {len(stopped)} to do" in run()
    with Images(root / "rt/images.parquet") as images:
        assert len(images.names()) == len(stopped) * len(SEEDS)
    cost = read_table(root / "rt/cost.parquet", "costs").set_index("stage")["unet_rows"]
    assert cost.to_dict() == {"guard": len(stopped) * len(SEEDS) * 2 * 2, "guard_backward": 0}
    assert f"{len(stopped)} prompts alarm, 0 to do" in run()
