"""Recompute distances, mask, residual and doubts from the images of a finding."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from verbatim.evidence.finding import Outcome
from verbatim.evidence.folder import FileFault
from verbatim.evidence.matching import pair_doubts, residual_of
from verbatim.evidence.panels import residual
from verbatim.evidence.rules import Rules
from verbatim.evidence.statements import Finding
from verbatim.io.images import ImageError, decode_image, resize, to_uint8
from verbatim.metrics.degenerate_images import match_doubts
from verbatim.metrics.rmse import fit_square, masked_rmse, rmse
from verbatim.metrics.template_masks import template_mask

TOLERANCE = 1e-6  # absolute, of RMSE in [0, 1] and of residuals
SAME_MASK = (
    1e-3  # share of pixels in which two masks may differ: another build of Pillow rounds otherwise
)
MOST_PIXELS = 10_000_000_000  # of all images that a bundle has decoded: about five minutes
PNG = b"\x89PNG\r\n\x1a\n"
UNREADABLE = (ImageError, KeyError, FileFault)


class BundleImages:
    """Images of a bundle by path, each (h, w, 3) float32 in [0, 1], with a bound on all of them together."""

    def __init__(self, files: Mapping[str, bytes]):
        self.files = files
        self._left = MOST_PIXELS
        self._square = lru_cache(maxsize=16)(self._load)

    def read(self, path: str) -> np.ndarray:
        """An image (h, w, 3), uint8. Raises KeyError if there is none, FileFault or ImageError if it cannot be used."""
        data = self.files[path]
        if data[:8] != PNG or len(data) < 24:
            raise ImageError("no PNG")
        width, height = struct.unpack(">II", data[16:24])
        self._left -= width * height
        if self._left < 0:
            raise ImageError(f"the bundle has more than {MOST_PIXELS} pixels")
        return decode_image(data)

    def _load(self, path: str, crop: str, size: int) -> np.ndarray:
        image = self.read(path)
        if not crop:
            return resize(image, size, size)
        squares = fit_square(image, size)
        if crop not in squares:
            raise ImageError(f"has no crop {crop!r}")
        return squares[crop]

    def generation(self, finding: Finding, pair: Mapping[str, Any], size: int) -> np.ndarray:
        return self._square(f"{finding.folder}/generated_{pair['seed']}.png", "", size)

    def source(self, finding: Finding, row: int, crop: str, size: int) -> np.ndarray:
        if not crop:
            raise ImageError("no crop is named")
        return self._square(f"{finding.folder}/source_{row}.png", crop, size)

    def mask(self, finding: Finding) -> np.ndarray:
        return self.read(f"{finding.folder}/mask.png")[:, :, 0] > 0.5


def replay_images(finding: Finding, rules: Rules, images: BundleImages) -> Iterator[Outcome]:
    """Every pair's distance, the template mask, the residual, and whether a guard doubts the match."""
    key = finding.prompt_id
    for pair in finding.pairs:
        what = f"{pair['kind']} {pair['distance']:.6f}"
        try:
            replayed = _distance(finding, pair, rules, images)
            differs = not abs(pair["distance"] - replayed) <= TOLERANCE
            fault = f"{pair['kind']} is {pair['distance']!r}, its images give {replayed!r}"
            yield Outcome(key, f"{what}, replayed {replayed:.6f}", fault=fault if differs else "")
            if pair["kind"] == "TV":
                yield Outcome(key, "mask", fault=_mask_fault(finding, pair, rules, images))
            if pair["kind"] == "verifier":
                yield Outcome(key, "doubt", fault=_doubt_fault(finding, pair, rules, images))
        except UNREADABLE as err:
            yield Outcome(key, what, fault=f"{what}: an image cannot be read: {_told(err)}")
    if finding.label["source_row"] >= 0:
        try:
            yield from _replay_label_pair(finding, rules, images)
        except UNREADABLE as err:
            yield Outcome(
                key, "residual", fault=f"an image of the label cannot be read: {_told(err)}"
            )


def _told(err: Exception) -> str:
    return f"{err.args[0]} is not there" if isinstance(err, KeyError) else str(err)


def _distance(
    finding: Finding, pair: Mapping[str, Any], rules: Rules, images: BundleImages
) -> float:
    """The distance of one pair from its images."""
    size = rules.search.size if pair["kind"] == "verifier" else rules.size
    made = images.generation(finding, pair, size)
    square = images.source(finding, pair["row"], pair["crop"], size)
    if pair["kind"] == "verifier":
        return residual_of(made, square, dict(pair), rules.search)
    if pair["kind"] == "TV":
        mask = images.mask(finding)
        if mask.shape != square.shape[:2]:
            raise ImageError(f"mask.png is {mask.shape[1]}x{mask.shape[0]}, not {size}x{size}")
        return float(masked_rmse(made[None], square, mask)[0])
    return float(rmse(made[None], square[None])[0, 0])


def _mask_fault(
    finding: Finding, pair: Mapping[str, Any], rules: Rules, images: BundleImages
) -> str:
    """What is wrong with the mask of a template, made again from the two training images of it; "" if nothing."""
    source = images.source(finding, pair["row"], pair["crop"], rules.size)
    partner = images.source(finding, pair["partner"], pair["partner_crop"], rules.size)
    how = rules.mask
    apart = float(rmse(source[None], partner[None])[0, 0])
    if pair["partner"] == pair["row"] or not how["low"] < apart < how["high"]:
        return f"training row {pair['partner']} is no partner of {pair['row']}: {apart:.6f} apart"
    mask, shown = (
        template_mask(source, partner, how["difference"], how["erode"], how["dilate"]),
        images.mask(finding),
    )
    if (mask != shown).mean() > SAME_MASK:
        return f"mask.png differs from the mask of its images in {(mask != shown).mean():.1%} of its pixels"
    area, stored = float(shown.mean()), finding.label["mask_area"]
    if stored is None or abs(area - stored) > SAME_MASK or area < how["min_area"]:
        return f"mask_area is {stored!r}, mask.png has {area:.4f}, at least {how['min_area']} is a template"
    return ""


def _doubt_fault(
    finding: Finding, pair: Mapping[str, Any], rules: Rules, images: BundleImages
) -> str:
    """Whether the verifier's doubts are those that its images give; a placeholder is known from the run alone."""
    found = finding.found
    if found["q"] is None or found["q"] > rules.alpha:
        return "a match that is not significant is doubted" if found["doubt"] else ""
    size = rules.search.size
    made = images.generation(finding, pair, size)
    square = images.source(finding, pair["row"], pair["crop"], size)
    possible = [
        "; ".join(pair_doubts(made, square, dict(pair), rules.search, rules.guards, placeholder))
        for placeholder in (False, True)
    ]
    return (
        ""
        if found["doubt"] in possible
        else f"doubt is {found['doubt']!r}, its images give {possible[0]!r}"
    )


def _replay_label_pair(finding: Finding, rules: Rules, images: BundleImages) -> Iterator[Outcome]:
    """Residual and review of the label's own pair."""
    label, key = finding.label, finding.prompt_id
    made = images.generation(finding, label, rules.size)
    square = images.source(finding, label["source_row"], label["crop"], rules.size)
    mask = images.mask(finding) if label["label"] == "TV" else None
    shown = to_uint8(images.read(f"{finding.folder}/residual.png")).astype(int)
    expected = to_uint8(residual(made, square, mask)).astype(int)
    same = shown.shape == expected.shape and np.abs(shown - expected).max() <= 1  # rounding
    yield Outcome(
        key, "residual", fault="" if same else "residual.png is not the difference of its images"
    )
    if label["label"] in rules.thresholds:
        threshold = rules.thresholds[label["label"]]
        reasons = match_doubts(square, made, rules.guards, threshold, mask)
        text = "; ".join(reasons)
        agrees = label["review"] == bool(reasons) and label["review_reason"].startswith(text)
        fault = (
            f"review is {label['review']!r} ({label['review_reason']!r}), its images give {text!r}"
        )
        yield Outcome(key, "review", fault="" if agrees else fault)
