"""Published prompt sets in their authors' layouts, made small: headlines and products against sentences.

Files are written by what the authors wrote theirs with: pandas and json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.user_prompts import LAYOUT

TITLES = ("Watch", "Listen", "Meet", "Explore", "Remember", "Revisit", "Discover", "Follow")
NAMES = ("Harbour", "Meridian", "Lantern", "Orchard", "Saffron", "Velvet", "Copper", "Juniper")
NOUNS = ("Trailer", "Podcast", "Season", "Backpack", "Review", "Sequel", "Album", "Lineup")
COLOURS = ("Sahara", "Pewter", "Walnut", "Ivory", "Cobalt", "Cherry")
ANIMALS = ("dog", "cat", "horse", "sheep", "giraffe", "bear", "zebra", "cow")
DOES = ("sleeps by", "runs past", "looks at", "walks through", "waits near", "stands in", "jumps over", "eats beside")  # fmt: skip
PLACES = ("field", "street", "kitchen", "beach", "garden", "station", "forest", "couch")


def headlines(n: int = 24) -> list[str]:
    """Memorized captions: headlines of their own, every third of a template that only the colour tells apart."""
    made = []
    for i in range(n):
        if i % 3 == 2:
            colour = COLOURS[(i // 3) % len(COLOURS)]
            made.append(f"Shaw Floors Couture Collection Ultimate Expression {colour} 0{i:03d}")
        else:
            verb, name = TITLES[i % 8], NAMES[(i // 8 + i) % 8]
            made.append(f"{verb} {name}'s {NOUNS[(i // 4 + i) % 8]} {i}")
    return made


def sentences(n: int = 24) -> list[str]:
    """Captions of another style, as COCO's: small letters and no numbers."""
    return [
        f"A {ANIMALS[i % 8]} {DOES[(3 * (i // 8) + i) % 8]} the {PLACES[(i // 8 + i) % 8]}."
        for i in range(n)
    ]


def url_of(i: int) -> str:
    return f"https://x.invalid/articles/{i}.jpg"


def write_wen(path: Path, captions: list[str]) -> Path:
    """sdv1_500_memorized.jsonl: caption, index, url on each line."""
    lines = [
        json.dumps({"caption": caption, "index": 1000 + i, "url": url_of(i)})
        for i, caption in enumerate(captions)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sail(path: Path, captions: list[str], types: list[str]) -> Path:
    """sd2_mem.jsonl: slashes are escaped, as PHP and JavaScript programs write them."""
    lines = [
        json.dumps(
            {"caption": c, "url": url_of(i), "index": i, "overfit_type": kind}, ensure_ascii=False
        ).replace("/", "\\/")
        for i, (c, kind) in enumerate(zip(captions, types, strict=True))
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_nemo(path: Path, captions: list[str], types: list[str] | None = None) -> Path:
    """memorized_laion_prompts.csv, and without types unmemorized_laion_prompts.csv: semicolons, an unnamed index."""
    columns: dict[str, Any] = {"Caption": captions, "URL": [url_of(i) for i in range(len(captions))]}  # fmt: skip
    if types is not None:
        columns |= {"type": types, "mean_sscd": 0.5, "max_sscd": [np.nan, *[0.6] * (len(types) - 1)]}  # fmt: skip
    columns["Index"] = np.arange(len(captions)) + 10**9
    pd.DataFrame(columns).to_csv(path, sep=";")
    return path


def write_lines(path: Path, captions: list[str]) -> Path:
    """MemAttn's and SAIL's lists: a prompt a line, no end of the last line."""
    path.write_text("\n".join(captions), encoding="utf-8")
    return path


def write_membench(path: Path, captions: list[str], urls: list[list[str]]) -> Path:
    """SD1_final.csv: an unnamed index, prompt, and urls as Python writes a list."""
    pd.DataFrame({"prompt": captions, "urls": urls}).to_csv(path)
    return path


def write_webster(path: Path, captions: list[str], types: list[str]) -> Path:
    """The labels of templates-verbs: LAION's row as index, lists in cells."""
    n = len(captions)
    table = pd.DataFrame(
        {
            "caption": captions, "url": [url_of(i) for i in range(n)], "overfit_type": types,
            "gen_seeds": [[0, 3]] * n, "retrieved_urls": [[]] * n, "mse_real_gen": np.linspace(100, 9000, n),
        },
        index=pd.Index(np.arange(n) + 2_000_000_000),
    )  # fmt: skip
    table.to_parquet(path)
    return path


def write_gustavosta(path: Path, prompts: list[str]) -> Path:
    """Stable-Diffusion-Prompts: one column, with a capital."""
    pd.DataFrame({"Prompt": prompts}).to_parquet(path)
    return path


def write_diffusiondb(path: Path, prompts: list[str]) -> Path:
    """metadata.parquet of DiffusionDB."""
    n = len(prompts)
    numbers = {name: np.zeros(n) for name in LAYOUT.names}
    table = pd.DataFrame(numbers).assign(
        image_name=[f"{i}.png" for i in range(n)], prompt=prompts, sampler="", user_name="",
        timestamp=pd.Timestamp(0, tz="UTC"),
    )  # fmt: skip
    table.to_parquet(path, schema=LAYOUT)
    return path


def side(*files: Path, **more: Any) -> dict[str, Any]:
    """One side of a set, as the config names it."""
    return {"files": [str(file) for file in files], **more}
