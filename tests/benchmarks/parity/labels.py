"""Template masks, distances and labels, beside the rules of Webster's reference implementation and beside OpenCV."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from scipy import ndimage

from verbatim.labels.fetched_images import Squares
from verbatim.labels.label import LabelSettings, label_generations
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.metrics.rmse import masked_rmse, rmse
from verbatim.metrics.template_masks import template_mask

from .comparison import ROOT, Comparison, Measured, relative
from .photographs import as_jpeg, crops, noised, to_bytes

MASKS, CASES, SIDE, BORDER = 40, 50, 256, 4
CONFIG, PAPER = (
    yaml.safe_load((ROOT / "config" / name).read_text("utf-8"))["labels"]
    for name in ("config.yaml", "paper.yaml")
)
MASK = MaskSettings(**PAPER["mask"])
SETTINGS = LabelSettings(
    "reference",
    {kind.upper(): value for kind, value in CONFIG["presets"]["reference"].items()},
    PAPER["order"],
    MASK,
    GuardSettings(**CONFIG["guards"]),
)
KINDS = ("MV", "RV", "TV", "N")


class Case(NamedTuple):
    """One prompt: uint8 images (n, 256, 256, 3). training : own image, another, a template and its partner."""

    generations: np.ndarray
    training: np.ndarray


Region = tuple[slice, slice]


def draw_region(rng: np.random.Generator) -> Region:
    """A rectangle of 40 to 99 pixels a side."""
    height, width = rng.integers(40, 100, 2)
    top, left = rng.integers(0, SIDE - height), rng.integers(0, SIDE - width)
    return slice(top, top + height), slice(left, left + width)


def with_region(image: np.ndarray, other: np.ndarray, share: float, region: Region) -> np.ndarray:
    """`image` with a region that goes `share` of the way to `other`, uint8."""
    out = image / 255
    out[region] = (1 - share) * out[region] + share * other[region] / 255
    return to_bytes(out)


def floats(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255.0


def sse(a: np.ndarray, b: np.ndarray) -> float:
    """The reference's distance of two float images: the sum of squared differences."""
    return float(((a.astype(np.float64) - b) ** 2).sum())


def partner_of(image: np.ndarray, other: np.ndarray, region: Region) -> np.ndarray:
    """An image of the same template, uint8: another region, and an SSE that the reference accepts (1e2 to 1e3)."""
    for source in (other, 255 - image):  # the negative, where both are much alike
        for share in np.geomspace(1.0, 0.02, 20):
            made = with_region(image, source, share, region)
            if 1e2 < sse(floats(image), floats(made)) < 1e3:
                return made
    raise ValueError("no region gives an SSE between 1e2 and 1e3")


def reference_mask(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The reference's mask of two float images: bool (256, 256, 3), all three channels alike."""
    near = np.repeat((np.abs(a - b).sum(axis=2, keepdims=True) < 0.03), 3, axis=2)
    eroded = ndimage.binary_erosion(near, np.ones((3, 3, 3)))
    return ndimage.binary_dilation(eroded, np.ones((6, 6, 3)))


@cache
def mask_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Pairs of one template, float32 (40, 256, 256, 3) each; every second pair was stored as JPEG."""
    rng = np.random.default_rng(0)
    some, others = crops(MASKS, SIDE, 10), crops(MASKS, SIDE, 11)
    pairs = [partner_of(a, b, draw_region(rng)) for a, b in zip(some, others, strict=True)]
    pairs[::2] = [as_jpeg(image, 97) for image in pairs[::2]]
    return floats(some), floats(np.stack(pairs))


def our_mask(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return template_mask(a, b, MASK.difference, MASK.erode, MASK.dilate)


def measure_masks(folder: Path) -> Measured:
    inside = (slice(BORDER, -BORDER),) * 2
    worst, shared, border = 0, [], 0
    for a, b in zip(*mask_pairs(), strict=True):
        ours, theirs = our_mask(a, b), reference_mask(a, b)[..., 1]
        worst = max(worst, int((ours != theirs)[inside].sum()))
        border = max(border, int((ours != theirs).sum()))
        shared.append(theirs.mean())
    note = f"within {BORDER} pixels of the border up to {border} differ (a stated deviation); masks cover {min(shared):.2f} to {max(shared):.2f}"
    return Measured(MASKS, worst, note)


def measure_morphology(folder: Path) -> Measured:
    import cv2

    worst = 0
    for a, b in zip(*mask_pairs(), strict=True):
        near = np.uint8(np.abs(a - b).sum(axis=2) < MASK.difference)
        # anchors: of an even square the centre is the lower of the two middles
        eroded = cv2.erode(
            near, np.ones((MASK.erode,) * 2, np.uint8), anchor=(MASK.erode // 2,) * 2
        )
        side = MASK.dilate
        grown = cv2.dilate(eroded, np.ones((side, side), np.uint8), anchor=((side - 1) // 2,) * 2)
        worst = max(worst, int((our_mask(a, b) != grown.astype(bool)).sum()))
    return Measured(MASKS, worst, "the whole image")


@cache
def cases() -> list[Case]:
    """Prompts with a generation whose distance to an image of each kind lies around the reference's thresholds."""
    rng = np.random.default_rng(2)
    images = crops(CASES * 5, SIDE, 12).reshape(CASES, 5, SIDE, SIDE, 3)
    found = []
    for i, (own, another, template, elsewhere, unlike) in enumerate(images):
        region = draw_region(rng)
        partner = partner_of(template, elsewhere, region)
        kind = KINDS[i % len(KINDS)]
        varied = with_region(template, 255 - elsewhere, 1.0, region)
        source = {"MV": own, "RV": another, "TV": varied}.get(kind, unlike)
        # 0.4 to 1.6 of the threshold: some are copies and some are not
        near = noised(source, 2500 * rng.uniform(0.4, 1.6), rng)
        generations = np.stack([as_jpeg(unlike, 75), as_jpeg(near, 95), as_jpeg(elsewhere, 60)])
        found.append(Case(generations, np.stack([own, another, template, partner])))
    return found


def reference_label(case: Case) -> str:
    """The reference's rule: TV, MV, RV in this order, by sums of squared errors."""
    made, (own, *others) = floats(case.generations), floats(case.training)
    for image in (own, *others):
        near = [other for other in (own, *others) if 1e2 < sse(image, other) < 1e3]
        if not near:
            continue
        mask = reference_mask(image, near[0]).astype(np.float32)
        if any(sse(image * mask, one * mask) / mask.mean() < 2.5e3 for one in made):
            return "TV"
    if min(sse(own, one) for one in made) < 2.5e3:
        return "MV"
    return "RV" if any(sse(image, one) < 3e3 for image in others for one in made) else "N"


def measure_labels(folder: Path) -> Measured:
    theirs, ours = [], []
    for case in cases():
        n = len(case.training)
        training = Squares(np.arange(n), ["whole"] * n, np.arange(n) == 0, floats(case.training))
        seeds = range(len(case.generations))
        verdict = label_generations(floats(case.generations), seeds, training, SETTINGS)
        ours.append(verdict.record["label"])
        theirs.append(reference_label(case))
    differ = sum(a != b for a, b in zip(ours, theirs, strict=True))
    counts = Counter(theirs)
    return Measured(CASES, differ, ", ".join(f"{kind} {counts[kind]}" for kind in KINDS))


def measure_distances(folder: Path) -> Measured:
    worst, pairs = 0.0, 0
    for case in cases():
        made, training = floats(case.generations), floats(case.training)
        theirs = [[sse(one, image) for image in training] for one in made]
        worst = max(worst, relative(rmse(made, training) ** 2 * made[0].size, theirs))
        pairs += len(made) * len(training)
    return Measured(pairs, worst, "RMSE^2 times the number of values, and SSE")


def measure_masked(folder: Path) -> Measured:
    worst, pairs = 0.0, 0
    for case in cases():
        made, image = floats(case.generations), floats(case.training)[2]
        wide = reference_mask(image, floats(case.training)[3])
        mask = wide.astype(np.float32)
        theirs = [sse(image * mask, one * mask) / wide.mean() for one in made]
        ours = masked_rmse(made, image, wide[..., 0]) ** 2 * image.size
        worst = max(worst, relative(ours, theirs))
        pairs += len(made)
    return Measured(pairs, worst, "the same mask on both sides")


COMPARISONS = [
    Comparison(
        "template mask", "metrics.template_masks.template_mask", "onestep-extraction's rule, by scipy.ndimage", 0,
        "pixels that differ", measure_masks,
    ),
    Comparison(
        "template mask, border too", "metrics.template_masks.template_mask", "cv2.erode, cv2.dilate", 0,
        "pixels that differ", measure_morphology, {"cv2": "opencv-python-headless"},
    ),
    Comparison(
        "distance", "metrics.rmse.rmse", "onestep-extraction's SSE", 1e-9, "relative", measure_distances,
    ),
    Comparison(
        "distance under a mask", "metrics.rmse.masked_rmse", "onestep-extraction's masked SSE", 1e-9, "relative",
        measure_masked,
    ),
    Comparison(
        "label, `reference`", "labels.label.label_generations", "onestep-extraction's rule", 0, "labels that differ",
        measure_labels,
    ),
]  # fmt: skip
