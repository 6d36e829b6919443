"""The embedded world's images: full-frame scenes of a background and OpenMoji drawings (CC BY-SA 4.0).

Every pixel of a scene varies from scene to scene, so that two images agree within the paper's threshold
(Webster 2023: RMSE 0.12) only if one copies the other. White drawings, of which most pixels agree, have no
such property.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from verbatim.io.images import encode_png

PATTERNS = ("linear", "radial", "waves", "rings", "blobs")
DISTORTIONS = ("none", "jpeg", "shift_x", "shift_y", "crop", "bright")
# ASSUME: least RMSE of a background to its own mean colour, half as much again as the paper's threshold for a
# verbatim (0.12): no blur and no plain colour is a near-duplicate of any scene
CONTRAST = 0.18
MAIN = (0.6, 0.95)  # side of the main drawing, as a share of the image's
WIDE = (
    0.8,
    0.95,
)  # of a template family's: what its members differ in is a large part of the image
SECOND = (0.25, 0.4)
FILLING = 0.28  # ASSUME: as CONTRAST, of what fills the drawing of a template family's member


@dataclass(frozen=True)
class Scene:
    """What one image shows.

    number : decides background, places, sizes and sides; scenes of one number differ in nothing else
        than what is said here
    drawing : index of the main drawing, or PLATE
    filling : -1, or the number of the pattern that fills the main drawing (members of a template family)
    distortion : one of DISTORTIONS, for near-duplicates
    """

    number: int
    drawing: int
    filling: int = -1
    distortion: str = "none"


PLATE = -1  # a `Scene.drawing`: the plate that stands for an image that is missing


@dataclass(frozen=True)
class Pattern:
    """Two colours and how they are mixed over the frame; `draw` makes it at any size."""

    kind: str
    colours: np.ndarray
    angle: float
    phase: float
    centre: np.ndarray
    periods: float
    grid: np.ndarray
    sharp: bool = False

    def draw(self, size: int) -> np.ndarray:
        """float32 (size, size, 3) in [0, 1]."""
        y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size
        along = (x - 0.5) * np.cos(self.angle) + (y - 0.5) * np.sin(self.angle)
        radius = np.hypot(x - self.centre[0], y - self.centre[1])
        if self.kind == "linear":
            mix = along + 0.5
        elif self.kind == "radial":
            mix = radius
        elif self.kind == "waves":
            mix = 0.5 + 0.5 * np.sin(2 * np.pi * self.periods * along + self.phase)
        elif self.kind == "rings":
            mix = 0.5 + 0.5 * np.sin(2 * np.pi * self.periods * radius + self.phase)
        else:
            soft = Image.fromarray(self.grid).resize((size, size), Image.Resampling.BICUBIC)
            mix = np.asarray(soft, np.float32) / 255.0
        if self.sharp:
            mix = (mix > np.median(mix)).astype(np.float32)
        mix = np.clip(mix, 0.0, 1.0).astype(np.float32)[..., None]
        return self.colours[0] * mix + self.colours[1] * (1.0 - mix)


def draw_pattern(rng: np.random.Generator, least: float = CONTRAST, sharp: bool = False) -> Pattern:
    """Two random colours, mixed along one of PATTERNS.

    least : RMSE to its own mean colour that the pattern has at least; below 0.3
    sharp : the two colours meet at edges, in equal parts
    """
    while True:
        pattern = Pattern(
            kind=PATTERNS[rng.integers(len(PATTERNS))],
            colours=rng.random((2, 3)).astype(np.float32),
            angle=2 * np.pi * rng.random(),
            phase=2 * np.pi * rng.random(),
            centre=rng.random(2),
            periods=rng.uniform(1.0, 2.5),
            grid=_stretch(rng.random((4, 4))),
            sharp=sharp,
        )
        small = pattern.draw(16)
        if np.sqrt(np.square(small - small.mean((0, 1))).mean()) >= least:
            return pattern


def _stretch(grid: np.ndarray) -> np.ndarray:
    """Values of an array (h, w) stretched over 0 to 255, uint8."""
    return np.rint((grid - grid.min()) / np.ptp(grid) * 255).astype(np.uint8)


def fill(drawing: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """The drawing (s, s, 4) uint8 with `pattern` (s, s, 3) for its colours; outlines and shades stay."""
    shade = drawing[..., :3].astype(np.float32).mean(2, keepdims=True) / 255.0
    # bright and middle tones all take the pattern's colour; dark outlines stay dark
    colours = pattern * np.clip(2.0 * shade, 0.0, 1.0)
    return np.concatenate([np.rint(colours * 255).astype(np.uint8), drawing[..., 3:]], 2)


def _put(
    canvas: np.ndarray,
    drawing: np.ndarray,
    rng: np.random.Generator,
    span: tuple[float, float],
    filling: int = -1,
) -> None:
    """Put a drawing on `canvas` (s, s, 3), in place, at a random place, size and side."""
    size = len(canvas)
    side = int(rng.integers(int(size * span[0]), int(size * span[1]) + 1))
    flip, top, left = rng.random() < 0.5, *rng.integers(0, size - side + 1, 2)
    image = Image.fromarray(drawing).resize((side, side), Image.Resampling.LANCZOS)
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(image)
    if filling >= 0:
        of_filling = np.random.default_rng([filling, 8])
        pixels = fill(pixels, draw_pattern(of_filling, FILLING, sharp=True).draw(side))
    values = pixels.astype(np.float32) / 255.0
    alpha = values[..., 3:]
    part = canvas[top : top + side, left : left + side]
    part[...] = part * (1.0 - alpha) + values[..., :3] * alpha


def draw_scene(scene: Scene, drawings: np.ndarray, size: int, seed: int) -> np.ndarray:
    """One image of the world; uint8 (size, size, 3), the same for the same arguments.

    Parameters
    ----------
    drawings : uint8 (n, s, s, 4), from `drawings.render_drawings`
    """
    if scene.drawing == PLATE:
        return draw_plate(size)
    rng = np.random.default_rng([seed, 7, scene.number])
    canvas = draw_pattern(rng).draw(size)
    if rng.random() < 0.5:
        _put(canvas, drawings[rng.integers(len(drawings))], rng, SECOND)
    filling = scene.filling if scene.filling < 0 else scene.number * 1000 + scene.filling
    _put(canvas, drawings[scene.drawing], rng, MAIN if filling < 0 else WIDE, filling)
    image = np.rint(np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8)
    return distort(image, scene.distortion)


def draw_scenes(scenes: list[Scene], drawings: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Images of `scenes`, uint8 (n, size, size, 3); scenes that are met more than once are drawn once."""
    drawn: dict[Scene, np.ndarray] = {}
    for scene in scenes:
        if scene not in drawn:
            drawn[scene] = draw_scene(scene, drawings, size, seed)
    return np.stack([drawn[scene] for scene in scenes])


def draw_named_scenes(drawings: np.ndarray, size: int, seed: int, copies: int = 1) -> np.ndarray:
    """`copies` scenes of each drawing (n, s, s, 4), no two alike: uint8 (copies, n, size, size, 3).

    The first ones do not depend on how many follow.
    """
    n = len(drawings)
    scenes = np.empty((copies, n, size, size, 3), np.uint8)
    for number in range(copies * n):
        scene = Scene(number, number % n)
        scenes[divmod(number, n)] = draw_scene(scene, drawings, size, seed)
    return scenes


def draw_plate(size: int) -> np.ndarray:
    """The plate of a missing image, as image hosts serve it; uint8 (size, size, 3)."""
    image = Image.new("RGB", (64, 64), (214, 214, 214))
    pen = ImageDraw.Draw(image)
    pen.rectangle((3, 3, 60, 60), outline=(120, 120, 120), width=2)
    pen.line((3, 60, 60, 3), fill=(190, 190, 190), width=2)
    font = ImageFont.load_default(11)
    for top, word in ((9, "image"), (24, "not"), (39, "available")):
        left, _, right, _ = pen.textbbox((0, 0), word, font=font)
        pen.text(((64 - right + left) / 2, top), word, fill=(40, 40, 40), font=font)
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def distort(image: np.ndarray, distortion: str) -> np.ndarray:
    """A near-duplicate of an image (h, w, 3) uint8: re-encoded, moved, cropped or brightened a little."""
    height, width = image.shape[:2]
    step = max(1, width // 64)
    if distortion == "none":
        return image
    if distortion == "jpeg":
        out = io.BytesIO()
        with Image.open(io.BytesIO(encode_png(image))) as opened:
            opened.save(out, "JPEG", quality=75)
        with Image.open(out) as opened:
            return np.asarray(opened.convert("RGB"))
    if distortion in ("shift_x", "shift_y"):
        axis = 1 if distortion == "shift_x" else 0
        spread = [(0, 0)] * 3
        spread[axis] = (step, 0)
        moved = np.pad(image, spread, mode="edge")
        return moved[:height, :width]
    if distortion == "crop":
        inner = Image.fromarray(image[step:-step, step:-step])
        return np.asarray(inner.resize((width, height), Image.Resampling.LANCZOS))
    if distortion == "bright":
        return np.rint(np.clip(image * 1.08, 0, 255)).astype(np.uint8)
    raise ValueError(f"distortion {distortion!r}: one of {DISTORTIONS}")


def restyle(images: np.ndarray, style: str) -> np.ndarray:
    """Images (n, h, w, 3) uint8 in another style, for fine-tuning.

    style : "hue" (colour channels rotated) or "soft" (colours halfway to grey)
    """
    if style == "hue":
        return images[..., [1, 2, 0]]
    if style == "soft":
        values = images.astype(np.float32)
        return np.rint(0.5 * values + 0.5 * values.mean(3, keepdims=True)).astype(np.uint8)
    raise ValueError(f"style {style!r}: one of 'hue', 'soft'")


def near_variants(scene: Scene, n: int) -> list[Scene]:
    """`n` near-duplicates of a scene, itself first; the distortions in turn."""
    return [replace(scene, distortion=DISTORTIONS[i % len(DISTORTIONS)]) for i in range(n)]
