"""The paper's inputs in small: LAION's layout over drawings, and a hub cache of tiny random models.

What is real: every format (npy, Parquet, img2dataset's tars, diffusers' and open_clip's folders, the hub's
cache), the length of an embedding (768) and the classes of the models.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from made_inputs import write_shard, write_tar

from tiny_models import make_if, make_sd

COPIES, TIMES, ROWS_A_SHARD = 12, 8, 70
PINNED = "0" * 39 + "1"  # for the one model that the sheet leaves without a commit


def make_clip(folder: Path, captions: list[str], dim: int = 768, size: int = 32) -> Path:
    """A CLIP with random weights in open_clip's layout."""
    import torch
    from open_clip import CLIP

    from verbatim.world.contrast import make_config, save_clip
    from verbatim.world.tokenizers import build_clip_tokenizer

    words = folder.with_name(folder.name + ".words")
    tokenizer = build_clip_tokenizer(captions, words, max_length=16)
    config = make_config({"width": 64, "embed_dim": dim}, size, len(tokenizer), 16)
    torch.manual_seed(0)
    save_clip(folder, CLIP(**config), config, words)
    shutil.rmtree(words)
    return folder


def draw(n: int, variants: int = COPIES, size: int = 64) -> tuple[list[str], np.ndarray]:
    """Names and images, uint8 (m, size, size, 3), of `n` drawings from all over OpenMoji.

    Behind them, of the first `variants`, one with a patch in another colour: a template of two.
    """
    from white_drawings import render_on_white

    from verbatim.io.images import to_uint8
    from verbatim.world.drawings import list_drawings

    listed = list_drawings(skin_tones=True)
    chosen = listed.iloc[np.linspace(0, len(listed) - 1, n).astype(int)]
    images = np.stack([to_uint8(image) for image in render_on_white(chosen["code"].tolist(), size)])
    changed = images[:variants].copy()
    changed[:, 4:12, 4:12] = (40, 160, 90)
    names = chosen["caption"].tolist()
    names += [f"{name} with a patch" for name in names[:variants]]
    return names, np.concatenate([images, changed])


def make_laion(folder: Path, clip: Path, captions: list[str], images: np.ndarray) -> pd.DataFrame:
    """Shards of all images, the first `COPIES` of them `TIMES` over, mixed. Returns row, url, caption."""
    from verbatim.io.images import encode_png
    from verbatim.models.clip import ClipEmbedder

    order = np.r_[np.repeat(np.arange(COPIES), TIMES), np.arange(COPIES, len(images))]
    order = np.random.default_rng(0).permutation(order)
    vectors = ClipEmbedder(clip).embed_images(images.astype(np.float32) / 255)
    urls = []
    for number, start in enumerate(range(0, len(order), ROWS_A_SHARD)):
        some = order[start : start + ROWS_A_SHARD]
        keys = [f"{number:05d}{i:04d}" for i in range(len(some))]
        url = [f"https://x.invalid/{start + i}.png" for i in range(len(some))]
        write_shard(folder, number, vectors[some], [captions[i] for i in some], key=keys, url=url)
        members = {f"{key}.png": encode_png(images[i]) for key, i in zip(keys, some, strict=True)}
        write_tar(folder / "data" / f"{number:05d}.tar", members)
        urls += url
    return pd.DataFrame(
        {"row": np.arange(len(order)), "url": urls, "caption": [captions[i] for i in order]}
    )


def snapshot(cache: Path, name: str, commit: str) -> Path:
    """Where the hub's cache keeps a model."""
    return cache / f"models--{name.replace('/', '--')}" / "snapshots" / commit


def make_cache(cache: Path, sheet: pd.DataFrame, captions: list[str]) -> None:
    """A tiny model of the right family at every pinned commit of the sheet."""
    for seed, one in enumerate(sheet.fillna("").to_dict("records")):
        folder = snapshot(cache, one["source"], one["revision"])
        if one["family"] == "sd":
            prediction = "v_prediction" if one["model"] == "sd2" else "epsilon"
            make_sd(folder, 32, prediction, seed=10 * seed, captions=captions)
        elif one["family"] == "if":
            second = snapshot(cache, one["upscaler"], one["upscaler_revision"])
            make_if(folder, 16, seed=10 * seed, captions=captions, upscaler=second)


def make_closed(folder: Path, captions: list[str], images: np.ndarray) -> Path:
    """A closed system that gives every training image back: a folder of images and its manifest."""
    from verbatim.io.images import encode_png

    folder.mkdir(parents=True)
    files = [f"{i}.png" for i in range(len(captions))]
    for file, image in zip(files, images, strict=True):
        (folder / file).write_bytes(encode_png(image))
    table = pd.DataFrame({"file": files, "prompt": captions, "seed": 2, "steps": 10})
    table.to_csv(folder / "manifest.csv", index=False)
    return folder


def write_sheet(sheet: Path, to: Path, closed: Path, dtype: str = "float32") -> pd.DataFrame:
    """The paper's sheet with every hub id pinned, in a type that a processor computes fast."""
    table = pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False)
    hub = table["source"].str.contains("/")
    table.loc[hub & (table["revision"] == ""), "revision"] = PINNED
    table.loc[table["family"] == "images", "source"] = str(closed)
    table["dtype"] = dtype
    table.to_csv(to, sep="\t", index=False)
    return table
