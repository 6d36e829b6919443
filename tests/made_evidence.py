"""A tiny made-up run that has copies to be found: what `labels` would have left for `evidence`."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.io.images import generation_name, resize, row_name, to_uint8, write_archive
from verbatim.io.records import SCHEMAS, prompt_id, read_table, write_table
from verbatim.labels.fetched_images import ComparedRows, FetchedImages
from verbatim.labels.label import LabelSettings, Verdict, label_prompts
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings

SIZE, SEEDS, N = 32, [0, 1], 24
PARTNER = N  # row of the template's other image
ORDER = [
    "TV",
    "MV",
    "RV",
]  # of the reference: prompt 3 is near enough to its own image without a mask too
MASK = {
    "low": 0.02255, "high": 0.2, "difference": 0.03, "erode": 1, "dilate": 1, "min_area": 0.3,
    "partners": 1, "sources": 10,
}  # fmt: skip
SEARCH = {
    "coarse": 16, "scales": [0.71, 0.84, 1.0, 1.19, 1.41], "shift": 0.25, "flip": True, "visible": 0.5,
    "share": 0.9, "background": 0.1, "least_area": 0.05, "blur": 1,
    "window": 5, "calm": 0.01, "refine": 0.6,
}  # fmt: skip
TEST = {"neighbours": 10, "generations": 40, "quantile": 0.25, "least": 10, "alpha": 0.05}
GUARDS = {
    "near_constant": 0.98, "flat_range": 0.03, "white": 0.95, "edge_density": 0.6, "edge_step": 0.2,
}  # fmt: skip
EVIL = 'a "quoted", <script>document.title="hacked"</script><img src=x onerror=alert(1)> & \u2028 caption'
CAPTIONS = [EVIL if i == 0 else f"thing {i}" for i in range(N)]
IDS = [prompt_id(caption) for caption in CAPTIONS]
# prompt -> what its first generation is of its own image
KINDS = {0: "exact", 1: "crop", 2: "flip", 3: "template"}


def image(seed: int, size: int = SIZE) -> np.ndarray:
    """A smooth image unlike any of another seed, in bytes' steps."""
    coarse = np.random.default_rng(seed).random((6, 6, 3), dtype=np.float32)
    return to_uint8(resize(coarse, size, size)) / np.float32(255)


def generation(i: int, seed: int) -> np.ndarray:
    kind = KINDS.get(i, "") if seed == 0 else ""
    own = image(i)
    if kind == "crop":
        return to_uint8(resize(own[2:28, 4:30], SIZE, SIZE)) / np.float32(255)
    if kind == "flip":
        return own[:, ::-1]
    if kind == "template":
        return np.concatenate([own[:30], image(900)[30:]])
    return own if kind else image(1000 + 10 * i + seed)


def template_mask() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[:30] = True
    return mask


def template_partner() -> np.ndarray:
    """Another image of the template that prompt 3's own image is of: their last two rows differ."""
    return np.concatenate([image(3)[:30], image(902)[30:]])


def training_images() -> dict[int, np.ndarray]:
    """Row -> training image: a prompt's own has its index, the template's partner comes last."""
    return {i: image(i) for i in range(N)} | {PARTNER: template_partner()}


def make_neighbours() -> pd.DataFrame:
    """Of every generation the next prompt's image."""
    near = [(IDS[i], seed, 0, (i + 1) % N, 0.5) for i in range(N) for seed in SEEDS]
    return pd.DataFrame(near, columns=SCHEMAS["neighbours"].names)


def make_relatives() -> pd.DataFrame:
    """Of prompt 3's own image the template's partner."""
    columns = {"row": [0, 3], "relative": [1, PARTNER], "similarity": 0.9, "order": 0}
    return pd.DataFrame(columns)


def make_fetched() -> pd.DataFrame:
    rows = [*range(N), PARTNER]
    return pd.DataFrame(
        {"row": rows, "caption": [*CAPTIONS, "another of the template"], "member": [row_name(i) for i in rows],
         "status": "ok", "reason": ""}
    )  # fmt: skip


def make_labels() -> pd.DataFrame:
    """Labels as labelling gives them; prompt 5 is set aside by hand."""
    labels = pd.DataFrame([one.record for one in make_verdicts()])[SCHEMAS["labels"].names]
    labels.loc[5, ["review", "review_reason"]] = [True, "training image: flat"]
    return labels


@functools.cache
def make_verdicts() -> list[Verdict]:
    """What labelling says of every prompt, with its mask."""
    selection = pd.DataFrame(
        {"prompt_id": IDS, "caption": CAPTIONS, "row": range(N), "extra": False, "why": "dcs"}
    )
    made = {generation_name(IDS[i], seed): generation(i, seed) for i in range(N) for seed in SEEDS}
    training = {row_name(row): image for row, image in training_images().items()}
    settings = LabelSettings(
        "paper", {"MV": 0.12, "RV": 0.12, "TV": 0.12}, ORDER, MaskSettings(**MASK), GuardSettings(**GUARDS)
    )  # fmt: skip
    images = FetchedImages(training.__getitem__, make_fetched(), SIZE)
    compared = ComparedRows(make_neighbours(), make_relatives(), images)
    return list(label_prompts(selection, SEEDS, made.__getitem__, images, compared, settings))


def write_labels(root: Path, model: str = "sd1") -> Path:
    """Write `labels/{model}/`, `dedup/` and `inputs/rows/` under `root`; returns the model's folder."""
    folder = root / "labels" / model
    write_table(folder / "labels.parquet", "labels", make_labels())
    names = [
        (generation_name(IDS[i], seed), generation(i, seed)) for i in range(N) for seed in SEEDS
    ]
    write_archive(folder / "images.zip", names)
    write_archive(
        folder / "training.zip", [(row_name(i), image) for i, image in training_images().items()]
    )
    masks = [(one.record["mask_file"], one.mask) for one in make_verdicts() if one.mask is not None]
    write_archive(folder / "masks.zip", masks)
    tables = {
        "neighbours": make_neighbours(),
        "relatives": make_relatives(),
        "fetched": make_fetched(),
    }  # fmt: skip
    for name, table in tables.items():
        write_table(folder / f"{name}.parquet", name, table)
    clusters = pd.DataFrame({"row": [22, 23], "cluster": [22, 22]})
    write_table(root / "dedup/clusters.parquet", "clusters", clusters)
    stats = {"cluster": [22], "size": [2], "n_captions": [2], "share_equal_captions": [0.0], "caption": ["thing 22"], "row": [22]}  # fmt: skip
    write_table(root / "dedup/cluster_stats.parquet", "cluster_stats", pd.DataFrame(stats))
    rows = pd.DataFrame(
        {"row": range(N + 1), "url": [f"https://images.example/{i}?a=<b>" for i in range(N + 1)],
         "caption": [*CAPTIONS, "another of the template"],
         "width": SIZE, "height": SIZE, "archive": "a.tar", "member": "m", "status": "ok", "reason": ""}
    )  # fmt: skip
    write_table(root / "inputs/rows/00000.parquet", "rows", rows)
    return folder


def close_system(folder: Path) -> dict[int, list[int]]:
    """Name a model's images as a closed system's are, by seeds of each prompt's own; prompt index -> seeds.

    Prompt 9 has a third image, its training image mirrored, which its label does not know of.
    """
    own = {i: [4711 + 10 * i + seed for seed in SEEDS] for i in range(N)}
    names = [
        (generation_name(IDS[i], own[i][seed]), generation(i, seed)) for i in own for seed in SEEDS
    ]
    own[9].append(99999)
    mirrored = (generation_name(IDS[9], 99999), image(9)[:, ::-1])
    write_archive(folder / "images.zip", [*names, mirrored])
    index = {key: i for i, key in enumerate(IDS)}
    for kind in ("labels", "neighbours"):
        table = read_table(folder / f"{kind}.parquet", kind)
        more = 4711 + 10 * table["prompt_id"].map(index)
        for name in [name for name in table if name.startswith("seed")]:
            table[name] = table[name].where(table[name].lt(0), table[name] + more)
        write_table(folder / f"{kind}.parquet", kind, table)
    return own


def files_of(root: Path, model: str = "sd1") -> dict[str, Path]:
    """Inputs of check_copies and build_bundle by name."""
    folder = root / "labels" / model
    tables = ("labels", "neighbours", "relatives", "fetched")
    return {name: folder / f"{name}.parquet" for name in tables} | {
        name: folder / f"{name}.zip" for name in ("images", "training", "masks")
    }
