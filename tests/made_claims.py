"""A made study: a small grid, its states and measures, in which what each claim says is known."""

import numpy as np
import pandas as pd

from verbatim.claims.comparisons import base_settings, describe_points
from verbatim.claims.designs import Grid

BASE = {
    "images": 300, "duplicated": 30, "ddf": 1, "duplication": "full", "conditioning": "own",
    "text_encoder": "trained", "steps": 700, "mitigation": "none",
}  # fmt: skip
LEVELS = {  # point -> (what differs from the base, similarity)
    "none": ({}, 0.60), "full5": ({"ddf": 5}, 0.66), "full10": ({"ddf": 10}, 0.70),
    "image10": ({"ddf": 10, "duplication": "image_only"}, 0.61),
    "fixed": ({"conditioning": "fixed"}, 0.40), "short": ({"steps": 350}, 0.60),
    "data1000": ({"images": 1000}, 0.72), "mc": ({"mitigation": "mc"}, 0.45),
    "mc_full10": ({"mitigation": "mc", "ddf": 10}, 0.50), "gn": ({"mitigation": "gn"}, 0.55),
    "broken": ({"conditioning": "class"}, None), "half0": ({"half": 0}, 0.6),
}  # fmt: skip


def made_grid():
    points = [{"point": name, **BASE, "half": -1, **less} for name, (less, _) in LEVELS.items()]
    return Grid(
        describe_points(points, 900), base_settings(BASE, 900), ("none", "full10"), ("gni", "rt")
    )


def row(point, seed, defence, measure, value, low=np.nan, high=np.nan, n=100, note=""):
    return {
        "point": point, "seed": seed, "defence": defence, "measure": measure, "value": value,
        "n": n, "low": low, "high": high, "note": note,
    }  # fmt: skip


def made_measures(seeds=(0, 1), scatter=0.002):
    rng = np.random.default_rng(0)
    rows = []
    for name, (_, level) in LEVELS.items():
        for seed in seeds if level is not None else ():
            x = level + rng.normal(0, scatter) + 0.03 * seed
            rows.append(row(name, seed, "none", "similarity:p95", x))
            rows.append(row(name, seed, "none", "similarity:p95@pixels", 1 - x))
            rows.append(row(name, seed, "none", "background:p50", 0.2))
            rows.append(row(name, seed, "none", "recall", x / 2))
            rows.append(row(name, seed, "none", "frechet:clip", 1 - x))
            rows.append(row(name, seed, "none", "clip_score", 30 * x))
            for defence in ("gni", "rt") if name in ("none", "full10") else ():
                rows.append(row(name, seed, defence, "similarity:p95", x - 0.1))
                rows.append(row(name, seed, defence, "auc_copied:dcs", 0.8 + rng.normal(0, 0.01)))
    rows.append(row("shadows", 0, "none", "auc:lira-loss", 0.2, 0.15, 0.25))
    rows.append(row("shadows", 0, "none", "auc:inpainting", 0.52, 0.45, 0.59))
    return pd.DataFrame(rows)


def made_states(seeds=(0, 1)):
    return pd.DataFrame(
        [
            {
                "point": name, "seed": seed, "status": "ok" if level is not None else "failed",
                "reason": "" if level is not None else "step 31: the loss is nan",
            }
            for name, (_, level) in LEVELS.items()
            for seed in seeds
        ]
    )  # fmt: skip


def made_clusters():
    """Of two points: images that are drawn once and ten times, and one cluster of two images."""
    one = {"n_captions": 1, "caption_similarity": 1.0, "generations": 2, "copies": 0, "images": 1}
    rows = [
        {"point": point, "seed": 0, "cluster": i, "size": 10.0 if i < 3 else 1.0, "replication": 0.5 + 0.05 * i, **one}
        for point in ("full10", "mc_full10")
        for i in range(6)
    ]  # fmt: skip
    return pd.DataFrame([*rows, rows[0] | {"cluster": 9, "images": 2, "size": 40.0}])


def generations_of(ids, kind="one"):
    n = len(ids)
    return pd.DataFrame(
        {
            "generation": range(n), "image_id": ids, "caption": "c", "prompt": "c",
            "gen_seed": range(n), "planted": [i < 2 for i in ids], "member": True, "kind": kind, "size": 32,
        }
    )  # fmt: skip
