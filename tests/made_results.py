"""A tiny made-up run: what every stage before `tables` would have left, for tests of tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.image_store import write_archive_table
from verbatim.io.images import generation_name, row_name, write_archive
from verbatim.io.records import prompt_id, write_table

MODELS: list[dict[str, Any]] = [
    {"model": "sd1", "name": "SD V1", "deduplicated": "no", "reference": "SD V1", "attacked": True,
     "trained_on_kept": False},
    {"model": "sd2", "name": "SD V2", "deduplicated": "yes", "reference": "SD V2", "attacked": True,
     "trained_on_kept": True},
    {"model": "if", "name": "Deep Image Floyd", "deduplicated": "yes", "reference": "IF", "attacked": False,
     "trained_on_kept": True},
]  # fmt: skip
THRESHOLDS = {"mv": 0.12, "rv": 0.12, "tv": 0.12}
SEEDS = [0, 1]


def make_truth(n: int = 6) -> pd.DataFrame:
    """n full duplicates x 3, n singles, n held out, one repeated caption, a family of two, one image under
    two captions."""
    rows: list[dict[str, Any]] = []

    def add(kind: str, image: int, caption: str, count: int, copies: int, **more: Any) -> None:
        for copy in range(copies):
            rows.append(
                {"image_id": image, "caption": caption, "kind": kind, "count": count, "copy": copy,
                 "distortion": "none", "group": "g", "family": f"f{image}", "match": -1} | more
            )  # fmt: skip

    for i in range(n):
        add("full", i, f"planted thing {i}", 3, 3)
        add("single", 100 + i, f"lone thing {i}", 1, 1)
    for i in range(3):
        add("repeated", 200 + i, "the usual thing", 3, 1, copy=i)
    for i in range(2):
        add("template", 300 + i, f"carpet in colour {i}", 2, 2, family="carpets")
        add("image_only", 400, f"one image, name {i}", 2, 1, copy=i)
    trained = len(rows)
    for i in range(n):
        add("held_out", 500 + i, f"unseen thing {i}", 0, 1, match=i)
    add("finetune_0", 600, "kept apart", 0, 1)
    table = pd.DataFrame(rows)
    table["row"] = [*range(trained), *[-1] * (len(rows) - trained)]
    return table


def rows_of(truth: pd.DataFrame, caption: str) -> list[int]:
    return list(truth.loc[truth["caption"].eq(caption) & (truth["row"] >= 0), "row"])


def make_labels(
    truth: pd.DataFrame, copies: dict[str, tuple[str, int]], review: tuple[str, ...] = (),
    missing: tuple[str, ...] = (), preset: str = "paper",
) -> pd.DataFrame:  # fmt: skip
    """Labels of every caption: `copies` maps a caption to its label and source row, all others are N."""
    rows = []
    for caption in dict.fromkeys(truth.loc[~truth["kind"].str.startswith("finetune"), "caption"]):
        label, source = copies.get(caption, ("missing" if caption in missing else "N", -1))
        close = 0.05 if label in ("MV", "RV", "TV") else 0.4
        own = rows_of(truth, caption)
        rows.append(
            {"prompt_id": prompt_id(caption), "caption": caption, "row": own[0] if own else -1,
             "extra": not own, "why": "dcs", "label": label, "seed": 1, "source_row": source,
             "distance": close, "distance_mv": close, "distance_rv": close, "distance_tv": close,
             **{f"seed_{kind}": 1 for kind in ("mv", "rv", "tv")}, **{f"row_{kind}": source for kind in ("mv", "rv", "tv")},
             **{f"crop_{kind}": "squash" for kind in ("mv", "rv", "tv")}, "partner_tv": -1, "partner_crop_tv": "",
             "mask_file": f"{prompt_id(caption)}.png" if label == "TV" else "", "mask_area": 0.9,
             "crop": "squash", "review": caption in review, "review_reason": "", "status": "ok",
             "preset": preset}
        )  # fmt: skip
    return pd.DataFrame(rows)


def make_prompts(truth: pd.DataFrame) -> pd.DataFrame:
    labels = make_labels(truth, {})
    return pd.DataFrame(
        {"prompt_id": labels["prompt_id"], "caption": labels["caption"], "row": labels["row"], "cluster": -1,
         "cluster_size": 1, "caption_count": 1, "share_equal_captions": 1.0, "extra": labels["extra"],
         "rank": range(len(labels))}
    )  # fmt: skip


def make_scores(prompts: pd.DataFrame, dcs: np.ndarray) -> dict[str, pd.DataFrame]:
    """Scores of three stages whose order is that of `dcs` (one a prompt)."""
    ids = prompts["prompt_id"].to_numpy()
    rank = pd.Series(-dcs).rank(method="first").astype(int).to_numpy() - 1
    share = (dcs - dcs.min()) / (np.ptp(dcs) or 1)
    whitebox = pd.DataFrame(
        {"prompt_id": ids, "dcs": dcs, "dcs_reference": dcs, "dcs_paper": 2 * dcs, "wen_first_step": dcs**0.5,
         "guidance_cosine": share - 0.5, "n_seeds": 2, "preset": "reference", "rank": rank}
    )  # fmt: skip
    blackbox = pd.DataFrame(
        {"prompt_id": ids, "ecs": share, "ecs_reference": share, "ecs_paper": share, "ecs_world": share,
         "seed_consistency": -1 + share, "seed_ssim": share, "n_seeds": 2, "preset": "world", "rank": rank}
    )  # fmt: skip
    postfilter = pd.DataFrame(
        {"prompt_id": ids, "n_images": 8, "clique_size": (8 * share).astype(int), "clique_distance": 0.2 - share / 10,
         "mean_distance": 0.5 - share / 4, "kept": share > 0.6, "certain": True, "unet_rows": 100,
         "preset": "world", "rank": rank}
    )  # fmt: skip
    return {"whitebox": whitebox, "blackbox": blackbox, "postfilter": postfilter}


def make_costs(stage: str, model: str, prompts: int, rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"stage": [stage], "model": [model], "prompts": [prompts], "unet_rows": [rows], "seconds": [1.5],
         "preset": ["reference"]}
    )  # fmt: skip


def write_run(root: Path, size: int = 16) -> pd.DataFrame:
    """Write a whole run of `MODELS` under `root`; sd1 copies most of what was planted, the others little.

    Returns the truth.
    """
    rng = np.random.default_rng(0)
    truth = make_truth()
    trained = truth[truth["row"] >= 0]
    write_table(root / "world/truth.parquet", "truth", truth)
    write_table(
        root / "inputs/rows/00000.parquet", "rows",
        trained[["row", "caption"]].assign(
            url="u", width=size, height=size, archive="a.tar", member="m", status="ok", reason=""
        ),
    )  # fmt: skip
    first = trained.groupby("image_id")["row"].transform("min")
    again = trained.groupby("image_id")["row"].transform("size") > 1
    write_table(
        root / "dedup/clusters.parquet", "clusters",
        pd.DataFrame({"row": trained["row"], "cluster": first})[again],
    )  # fmt: skip
    kept = pd.DataFrame({"row": sorted(first.unique())})
    write_table(root / "dedup/kept_rows.parquet", "kept_rows", kept)
    prompts = make_prompts(truth)
    write_table(root / "dedup/prompts.parquet", "prompts", prompts)
    images = {image: rng.random((size, size, 3)) for image in truth["image_id"].unique()}
    # two planted captions: the seventh prompt of the sheet is a retrieved one
    carpet = rows_of(truth, "carpet in colour 1")[0]
    copies = {
        f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[-1]) for i in range(5)
    }
    copies |= {
        "carpet in colour 0": ("TV", carpet),
        "lone thing 0": ("RV", rows_of(truth, "planted thing 0")[0]),
    }
    for i, one in enumerate(MODELS):
        model = one["model"]
        some = copies if i == 0 else {"carpet in colour 0": ("TV", carpet)}
        labels = make_labels(truth, some, review=("lone thing 1",))
        folder = root / f"labels/{model}"
        write_table(folder / "labels.parquet", "labels", labels)
        write_table(
            folder / "cost.parquet", "costs", make_costs("labels", model, len(labels), 4000)
        )
        wanted = [(prompt, seed) for prompt in labels["prompt_id"] for seed in SEEDS]
        write_archive(
            folder / "images.zip",
            ((generation_name(*key), rng.random((size, size, 3))) for key in wanted),
        )
        sources = sorted(set(labels["source_row"]) - {-1})
        of_row = trained.set_index("row")["image_id"]
        write_archive(
            folder / "training.zip", ((row_name(row), images[of_row[row]]) for row in sources)
        )
        masks = [name for name in labels["mask_file"] if name]
        write_archive(
            folder / "masks.zip",
            ((name, np.arange(size * size).reshape(size, size) > 40) for name in masks),
        )
        if one["trained_on_kept"]:
            write_table(root / f"world/training/{model}/rows.parquet", "kept_rows", kept)
        if not one["attacked"]:
            continue
        planted = prompts["caption"].str.contains("planted|carpet").to_numpy()
        dcs = 200 + 50 * rng.random(len(prompts)) + 400 * planted * (i == 0)
        for stage, table in make_scores(prompts, dcs).items():
            write_table(root / f"{stage}/{model}/scores.parquet", stage, table)
            cost = make_costs(stage, model, len(prompts), 100)
            write_table(root / f"{stage}/{model}/cost.parquet", "costs", cost)
        folder = root / f"blackbox/{model}"
        write_archive(
            folder / "kept/stamp/part/images.zip",
            ((generation_name(*key), rng.random((size, size, 3))) for key in wanted),
        )
        write_archive_table(
            folder / "images.parquet",
            [(prompt, folder / "kept/stamp/part/images.zip") for prompt in labels["prompt_id"]],
        )
    return truth
