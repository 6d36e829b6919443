"""Panels for a reader: generation, training image, mask and residual side by side in one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verbatim.evidence.placements import place
from verbatim.io.images import resize, to_uint8
from verbatim.metrics.rmse import fit_square


def residual(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """|a - b| (s, s, 3), black where two images agree and where the mask (s, s) bool leaves out."""
    difference = np.abs(a - b)
    return difference if mask is None else difference * mask[:, :, None]


def label_panels(
    generation: np.ndarray, training: np.ndarray, crop: str, mask: np.ndarray | None, size: int
) -> np.ndarray:
    """(size, 4 size, 3) uint8: generated, training, mask, residual.

    generation, training : (h, w, 3). crop : which square of the training image was compared. mask :
    (size, size) bool of a template copy; None, shown white, where everything was compared.
    """
    made = resize(generation, size, size)
    square = fit_square(training, size)[crop]
    shown = np.ones((size, size)) if mask is None else mask.astype(np.float32)
    panels = [made, square, np.repeat(shown[:, :, None], 3, axis=2), residual(made, square, mask)]
    return to_uint8(np.concatenate(panels, axis=1))


def placed_panels(
    generation: np.ndarray, training: np.ndarray, crop: str, at: Mapping[Any, Any], size: int
) -> np.ndarray:
    """(size, 4 size, 3) uint8: generated, training, training as placed, residual where it lies.

    at : side, top, left as shares of the frame's side, flip.
    """
    made = resize(generation, size, size)
    square = fit_square(training, size)[crop]
    side, top, left = (round(at[name] * size) for name in ("side", "top", "left"))
    placed, mask = place(square, size, side, top, left, bool(at["flip"]))
    return to_uint8(np.concatenate([made, square, placed, residual(made, placed, mask)], axis=1))
