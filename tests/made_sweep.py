"""What the study starts from, made small: a pool of images, a CLIP and a VAE of two steps each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.config.sweep_points import MITIGATION_CONSTANTS

SIZE = 16
CODES = {
    "red heart": "2764-FE0F", "dog face": "1F436", "automobile": "1F697", "red apple": "1F34E", "fire": "1F525",
    "key": "1F511", "pizza": "1F355", "rocket": "1F680", "guitar": "1F3B8", "teapot": "1FAD6", "peru": "1F1F5-1F1EA",
    "anchor": "2693", "cat face": "1F431", "snail": "1F40C", "umbrella": "2602-FE0F", "hammer": "1F528",
}  # fmt: skip
POINT: dict[str, Any] = {
    "images": 8, "duplicated": 2, "ddf": 1.0, "duplication": "full", "conditioning": "own",
    "text_encoder": "trained", "steps": 3, "mitigation": "none", "half": -1,
}  # fmt: skip
TRAINING = {
    "batch": 4, "learning_rate": 1e-3, "channels": [8, 16], "ema": 0.9, "p_empty": 0.25,
}  # fmt: skip
MITIGATIONS = {"gn": 0.1, "rc": 0.4, "rt": 0.1, "cwr": 0.4, "passes": 2}
INFERENCE = {
    "gni": 0.1, "rna_high": 100_000, "passes": 4, "wen_steps": 5, "wen_rate": 0.05, "wen_target": 1.0,
}  # fmt: skip


def used(block: str, name: str, **changes: Any) -> dict[str, Any]:
    """The constants that a mitigation or defence reads, and no other, as the rules give them."""
    entries = {"mitigations": MITIGATIONS, "inference": INFERENCE}[block] | changes
    return {key: entries[key] for key in MITIGATION_CONSTANTS[block].get(name, ())}


def images_table() -> pd.DataFrame:
    """An `images` table of sixteen images, none of a family."""
    captions = list(CODES)
    return pd.DataFrame(
        {
            "image_id": np.arange(len(captions), dtype=np.int32),
            "code": list(CODES.values()),
            "caption": captions,
            "group": [f"{int(code.split('-')[0], 16) >> 8:X}" for code in CODES.values()],
            "family": list(CODES.values()),
            "n_words": [len(caption.split()) for caption in captions],
        }
    )


def images() -> np.ndarray:
    """Their pixels, uint8 (16, SIZE, SIZE, 3)."""
    shape = (len(CODES), SIZE, SIZE, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def make_clip(folder: Path) -> Path:
    """The folder of a CLIP that was trained for two steps."""
    from verbatim.world.contrast import save_clip, train_clip
    from verbatim.world.tokenizers import build_clip_tokenizer
    from verbatim.world.training import TrainingRun

    captions = list(CODES)
    tokenizer = build_clip_tokenizer(captions, folder, 12)
    settings = {"steps": 2, "batch": 8, "learning_rate": 1e-3, "width": 32, "embed_dim": 16}
    model, config = train_clip(images(), captions, tokenizer, settings, TrainingRun(3))
    save_clip(folder, model, config, folder)
    return folder


def make_vae(folder: Path) -> Path:
    """The folder of an autoencoder that was trained for two steps."""
    from verbatim.world.autoencoder import train_autoencoder
    from verbatim.world.training import TrainingRun

    settings = {
        "steps": 2,
        "batch": 4,
        "learning_rate": 1e-3,
        "channels": [8, 16],
        "latent_channels": 4,
        "crop": 16,
        "whole_steps": 0,
        "whole_learning_rate": 1e-3,
    }
    train_autoencoder(images(), settings, TrainingRun(1)).save_pretrained(folder)
    return folder
