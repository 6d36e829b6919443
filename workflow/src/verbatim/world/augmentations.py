"""What may have been done to a copy: the augmentations that SSCD is trained with, on images of the world's size.

Pizzi et al. 2022, section 4.3 and the published code: the chances and ranges below, in this order. Lengths that are
pixels of 224 there are the same share of the side here.
"""

from __future__ import annotations

import functools
import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torchvision.transforms import functional as F

FLIP, QUARTER, TEXT, EMOJI, TURN, JITTER, GREY, BLUR, JPEG = (
    0.5,
    0.05,
    0.1,
    0.2,
    0.05,
    0.8,
    0.2,
    0.5,
    0.2,
)
LIGHT, HUE = 0.8, 0.2  # reach of brightness, contrast and saturation, and of the hue
RADIUS = (1 / 224, 5 / 224)  # of a blur, in sides
RATIO = (3 / 4, 4 / 3)  # width over height of a crop
MIXED, ALPHA = (
    0.05,
    2.0,
)  # chance that two images are mixed; both parameters of the beta distribution
# ASSUME: SSCD crops 0.08 of an image of 224 pixels and more. Of 64 pixels that is a square of 18, which seldom shows
# more than a piece of background
AREA = (0.2, 1.0)
# ASSUME: sides of an overlaid drawing and of a line of text, in sides of the image; the code leaves them to AugLy
OVERLAY, LINE = (0.15, 0.5), (0.1, 0.25)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Mixed(NamedTuple):
    """A batch after mixing: images (n, 3, h, w), and the instances that each shows, (n, 2), twice the one of an unmixed."""

    images: np.ndarray
    shown: np.ndarray


def augment(image: np.ndarray, overlays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One augmented view of an image, of its size.

    Parameters
    ----------
    image
        (s, s, 3) uint8.
    overlays
        (n, h, h, 4) uint8: drawings that may be put on it.

    Returns
    -------
    uint8 (s, s, 3)
    """
    view, size = Image.fromarray(image), image.shape[0]

    def happens(chance: float) -> bool:
        return bool(rng.random() < chance)

    if happens(FLIP):
        view = F.hflip(view)
    if happens(QUARTER):
        view = view.rotate(90 * int(rng.integers(1, 4)))
    if happens(TEXT):
        view = _write(view, rng)
    if happens(EMOJI):
        view = _overlay(view, overlays[rng.integers(len(overlays))], rng)
    if happens(TURN):
        view = view.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR)
    view = _crop(view, rng)
    if happens(JITTER):
        view = _jitter(view, rng)
    if happens(GREY):
        view = F.rgb_to_grayscale(view, 3)
    if happens(BLUR):
        view = view.filter(ImageFilter.GaussianBlur(size * float(rng.uniform(*RADIUS))))
    if happens(JPEG):
        out = io.BytesIO()
        view.save(out, "JPEG", quality=int(rng.integers(0, 101)))
        view = Image.open(out).convert("RGB")
    return np.asarray(view)


@functools.cache
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, which takes a millisecond to open."""
    return ImageFont.load_default(pixels)


def _write(view: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A line of random letters in a random colour, somewhere."""
    size = view.width
    text = "".join(LETTERS[i] for i in rng.integers(0, len(LETTERS), rng.integers(3, 10)))
    colour = tuple(int(value) for value in rng.integers(0, 256, 3))
    place = (float(rng.uniform(0, 0.6)) * size, float(rng.uniform(0, 0.85)) * size)
    font = _font(max(1, round(size * float(rng.uniform(*LINE)))))
    ImageDraw.Draw(view).text(place, text, fill=colour, font=font)
    return view


def _overlay(view: Image.Image, drawing: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A drawing at a random place and size, as opaque as chance has it."""
    side = max(1, round(view.width * float(rng.uniform(*OVERLAY))))
    small = Image.fromarray(drawing).resize((side, side), Image.Resampling.BILINEAR)
    opaque = float(rng.uniform(0.5, 1))
    alpha = small.getchannel("A").point([round(value * opaque) for value in range(256)])
    left, top = (int(i) for i in rng.integers(0, view.width - side + 1, 2))
    view.paste(small.convert("RGB"), (left, top), alpha)
    return view


def _crop(view: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part of a random area and proportion, at the size of the whole (Szegedy 2015, as torchvision draws it)."""
    size = view.width
    area = size * size * float(rng.uniform(*AREA))
    ratio = float(np.exp(rng.uniform(*np.log(RATIO))))
    width, height = (min(size, max(1, round((area * r) ** 0.5))) for r in (ratio, 1 / ratio))
    left, top = (int(rng.integers(0, size - side + 1)) for side in (width, height))
    box = (left, top, left + width, top + height)
    return view.resize((size, size), Image.Resampling.BILINEAR, box)


def _jitter(view: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue, in a random order."""
    light = [float(value) for value in rng.uniform(1 - LIGHT, 1 + LIGHT, 3)]
    hue = float(rng.uniform(-HUE, HUE))
    for step in rng.permutation(4):
        if step == 0:
            view = F.adjust_brightness(view, light[0])
        elif step == 1:
            view = F.adjust_contrast(view, light[1])
        elif step == 2:
            view = F.adjust_saturation(view, light[2])
        else:
            view = F.adjust_hue(view, hue)
    return view


def mix(images: np.ndarray, instances: np.ndarray, rng: np.random.Generator) -> Mixed:
    """Some images of a batch mixed with another one: blended (Zhang 2018) or one pasted into the other (Yun 2019).

    Parameters
    ----------
    images
        (n, 3, s, s) float32.
    instances
        (n,) what each shows; a mixed image shows both.
    """
    n, _, size, _ = images.shape
    others, out = rng.permutation(n), images.copy()
    shown = np.stack([instances, instances], 1)
    for i in np.flatnonzero(rng.random(n) < MIXED):
        j, share = others[i], float(rng.beta(ALPHA, ALPHA))
        if rng.random() < 0.5:
            out[i] = share * images[i] + (1 - share) * images[j]
        else:
            side = min(size, max(1, round(size * (1 - share) ** 0.5)))
            top, left = rng.integers(0, size - side + 1, 2)
            place = np.s_[:, top : top + side, left : left + side]
            out[i][place] = images[j][place]
        shown[i, 1] = instances[j]
    return Mixed(out, shown)
