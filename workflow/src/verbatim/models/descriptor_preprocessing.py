"""How an image is made ready for a copy detector: the official presets, by name.

A similarity of 0.5 means something only under a stated preset: the peers of SSCD resize differently. Each preset
does to an 8-bit image what torchvision's transforms do (Pillow's resampling, then the middle cut out), so that
numbers can be compared with published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from verbatim.io.images import to_uint8

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Preset:
    """What is done to an image before it is described.

    edge
        Pixels that the short side is resampled to; the long one in proportion.
    square
        Pixels that both sides are resampled to, whatever their proportion, instead.
    crop
        Side of the square that is then cut out of the middle; 0: none.
    how
        "bilinear" or "bicubic", antialiased.
    mean, std
        Of each colour, taken off and divided by.
    """

    edge: int = 0
    square: int = 0
    crop: int = 0
    how: str = "bilinear"
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]


PRESETS = {
    # SSCD's two official ones (Pizzi 2022; the repository's README): small edge, and skewed to a square
    "sscd_288": Preset(edge=288),
    "sscd_320": Preset(square=320),
    # DINO's evaluation (Caron 2021)
    "dino_224": Preset(edge=256, crop=224, how="bicubic"),
    # OpenAI's CLIP at 224 pixels (Radford 2021)
    "clip_224": Preset(edge=224, crop=224, how="bicubic", mean=OPENAI[0], std=OPENAI[1]),
    # what the code released with Somepalli 2023 does for every descriptor, SSCD among them
    "somepalli_224": Preset(edge=256, crop=224, mean=HALF[0], std=HALF[1]),
}
METHODS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def prepare(image: np.ndarray, preset: Preset) -> np.ndarray:
    """An image (h, w, 3), uint8 or float in [0, 1], as the network takes it: float32 (3, h', w')."""
    resized = Image.fromarray(image if image.dtype == np.uint8 else to_uint8(image))
    width, height = resized.size
    if preset.square:
        width = height = preset.square
    elif preset.edge:
        short = min(width, height)
        width, height = (
            preset.edge if side == short else int(preset.edge * side / short)
            for side in (width, height)
        )
    if (width, height) != resized.size:
        resized = resized.resize((width, height), METHODS[preset.how])
    values = np.asarray(resized, dtype=np.float32) / 255.0
    if preset.crop:
        top, left = (round((side - preset.crop) / 2) for side in (height, width))
        values = values[top : top + preset.crop, left : left + preset.crop]
    mean, std = (np.asarray(three, np.float32) for three in (preset.mean, preset.std))
    normal = (values - mean) / std
    return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)
