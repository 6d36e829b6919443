"""A tiny made-up run that has copies to be found: what `labels` would have left for `evidence`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.compare import masked_rmse, rmse
from verbatim.images import resize, row_name, synthesis_name, to_uint8, write_archive
from verbatim.records import SCHEMAS, prompt_id, read_table, write_table

SIZE, SEEDS, N = 32, [0, 1], 24
SEARCH = {
    "coarse": 16, "scales": [0.71, 0.84, 1.0, 1.19, 1.41], "shift": 0.25, "flip": True, "visible": 0.5,
    "share": 0.9, "background": 0.1, "least_area": 0.05, "blur": 1,
    "window": 5, "calm": 0.01, "refine": 0.6,
}  # fmt: skip
TEST = {"generations": 40, "quantile": 0.25, "least": 10, "alpha": 0.05}
GUARDS = {
    "near_constant": 0.98, "flat_range": 0.03, "white": 0.95, "edge_density": 0.6, "edge_step": 0.2,
}  # fmt: skip
EVIL = 'a "quoted", <script>document.title="hacked"</script><img src=x onerror=alert(1)> & \u2028 caption'
CAPTIONS = [EVIL if i == 0 else f"thing {i}" for i in range(N)]
IDS = [prompt_id(caption) for caption in CAPTIONS]
# prompt -> what its first synthesis is of its own picture
KINDS = {0: "exact", 1: "crop", 2: "flip", 3: "template"}


def picture(seed: int, size: int = SIZE) -> np.ndarray:
    """A smooth picture unlike any of another seed, in bytes' steps."""
    coarse = np.random.default_rng(seed).random((6, 6, 3), dtype=np.float32)
    return to_uint8(resize(coarse, size, size)) / np.float32(255)


def synthesis(i: int, seed: int) -> np.ndarray:
    kind = KINDS.get(i, "") if seed == 0 else ""
    own = picture(i)
    if kind == "crop":
        return to_uint8(resize(own[2:28, 4:30], SIZE, SIZE)) / np.float32(255)
    if kind == "flip":
        return own[:, ::-1]
    if kind == "template":
        return np.concatenate([own[:30], picture(900)[30:]])
    return own if kind else picture(1000 + 10 * i + seed)


def template_mask() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[:30] = True
    return mask


def make_labels() -> pd.DataFrame:
    """Labels with the distances that labelling would have stored."""
    rows = []
    for i, caption in enumerate(CAPTIONS):
        made = np.stack([synthesis(i, seed) for seed in SEEDS])
        own, other = (
            rmse(made, picture(i)[None])[:, 0],
            rmse(made, picture((i + 1) % N)[None])[:, 0],
        )
        label = {"exact": "MV", "template": "TV"}.get(KINDS.get(i, ""), "N")
        under = masked_rmse(made, picture(i), template_mask()) if label == "TV" else [np.nan]
        nearest = under if label == "TV" else own
        source = i if nearest.min() <= other.min() else (i + 1) % N
        distance = float(min(nearest.min(), other.min()))
        seed = int(np.argmin(nearest if source == i else other))
        rows.append(
            {
                "prompt_id": IDS[i], "caption": caption, "row": i, "extra": False, "why": "dcs", "label": label,
                "seed": seed, "source_row": source, "distance": distance, "distance_mv": own.min(),
                "distance_rv": other.min(), "distance_tv": float(np.min(under)),
                "mask_file": f"{IDS[i]}.png" if label == "TV" else "",
                "mask_area": 0.9375 if label == "TV" else np.nan, "crop": "whole", "review": i == 5,
                "review_reason": "training picture: flat" if i == 5 else "", "status": "ok", "preset": "paper",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def write_labels(root: Path, model: str = "sd1") -> Path:
    """Write `labels/{model}/`, `dedup/` and `inputs/rows/` under `root`; returns the model's folder."""
    folder = root / "labels" / model
    write_table(folder / "labels.parquet", "labels", make_labels())
    names = [(synthesis_name(IDS[i], seed), synthesis(i, seed)) for i in range(N) for seed in SEEDS]
    write_archive(folder / "images.zip", names)
    write_archive(folder / "training.zip", [(row_name(i), picture(i)) for i in range(N)])
    write_archive(folder / "masks.zip", [(f"{IDS[3]}.png", template_mask())])
    near = [(IDS[i], seed, 0, (i + 1) % N, 0.5) for i in range(N) for seed in SEEDS]
    tables = {
        "neighbours": pd.DataFrame(near, columns=SCHEMAS["neighbours"].names),
        "relatives": pd.DataFrame({"row": [0], "relative": [1], "similarity": [0.9], "order": [0]}),
        "fetched": pd.DataFrame(
            {"row": range(N), "caption": CAPTIONS, "member": [row_name(i) for i in range(N)], "status": "ok", "reason": ""}
        ),
    }  # fmt: skip
    for name, table in tables.items():
        write_table(folder / f"{name}.parquet", name, table)
    clusters = pd.DataFrame({"row": [22, 23], "cluster": [22, 22]})
    write_table(root / "dedup/clusters.parquet", "clusters", clusters)
    stats = {"cluster": [22], "size": [2], "n_captions": [2], "share_equal_captions": [0.0], "caption": ["thing 22"], "row": [22]}  # fmt: skip
    write_table(root / "dedup/cluster_stats.parquet", "cluster_stats", pd.DataFrame(stats))
    rows = pd.DataFrame(
        {"row": range(N), "url": [f"https://pictures.example/{i}?a=<b>" for i in range(N)], "caption": CAPTIONS,
         "width": SIZE, "height": SIZE, "archive": "a.tar", "member": "m", "status": "ok", "reason": ""}
    )  # fmt: skip
    write_table(root / "inputs/rows/00000.parquet", "rows", rows)
    return folder


def close_system(folder: Path) -> dict[int, list[int]]:
    """Name a model's pictures as a closed system's are, by seeds of each prompt's own; prompt index -> seeds.

    Prompt 9 has a third picture, its training picture mirrored, which its label does not know of.
    """
    own = {i: [4711 + 10 * i + seed for seed in SEEDS] for i in range(N)}
    names = [
        (synthesis_name(IDS[i], own[i][seed]), synthesis(i, seed)) for i in own for seed in SEEDS
    ]
    own[9].append(99999)
    mirrored = (synthesis_name(IDS[9], 99999), picture(9)[:, ::-1])
    write_archive(folder / "images.zip", [*names, mirrored])
    index = {key: i for i, key in enumerate(IDS)}
    for kind in ("labels", "neighbours"):
        table = read_table(folder / f"{kind}.parquet", kind)
        table["seed"] += 4711 + 10 * table["prompt_id"].map(index)
        write_table(folder / f"{kind}.parquet", kind, table)
    return own


def files_of(root: Path, model: str = "sd1") -> dict[str, Path]:
    """Inputs of check_copies and build_bundle by name."""
    folder = root / "labels" / model
    tables = ("labels", "neighbours", "relatives", "fetched")
    return {name: folder / f"{name}.parquet" for name in tables} | {
        name: folder / f"{name}.zip" for name in ("images", "training", "masks")
    }
