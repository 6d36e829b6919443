"""Find a training image in a generation: the best placement, then a trimmed residual.

Webster 2023, Fig. 5: copies that its labels miss. Every placement is tried at a coarse size by one
matrix product for each image, and the best is compared at the full size if it is near enough. The same function
is computed for every pair, so its values for unrelated pairs are the null. Only NumPy and Pillow are needed, so
that a bundle can be replayed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from verbatim.evidence.placements import (
    SearchSettings,
    area_sums,
    background,
    border,
    canvas,
    covered,
    list_placements,
    place,
    row_windows,
    soften,
    sum_between,
    windows,
)
from verbatim.io.images import resize
from verbatim.metrics.degenerate_images import GuardSettings, match_doubts

WHOLE = 0.999  # share of an image's energy from which all of it is in the frame


class Found(NamedTuple):
    """Best placement of one image in each of n generations; all (n,).

    residual : from `trimmed_residuals`, inf where no pixel tells anything. side, top, left : in pixels of
    the squares of `size`. base : which of the image's squares. area : share of the frame compared.
    """

    residual: np.ndarray
    base: np.ndarray
    flip: np.ndarray
    side: np.ndarray
    top: np.ndarray
    left: np.ndarray
    area: np.ndarray


class Generations(NamedTuple):
    """Generations made ready for the search.

    coarse (n, 3 c c), sums (n, 4, k): of the channels and their squares under every mask,
    fine (n, 3, s, s).
    """

    coarse: np.ndarray
    sums: np.ndarray
    fine: np.ndarray

    def take(self, which: np.ndarray) -> Generations:
        return Generations(self.coarse[which], self.sums[which], self.fine[which])


def box_means(planes: np.ndarray, window: int) -> np.ndarray:
    """Mean over the window x window pixels about each pixel, edges repeated; (n, c, h, w) gives the same."""
    for axis in (2, 3):
        width, half = planes.shape[axis], window // 2
        wide = np.pad(
            planes, [(half, half) if a == axis else (0, 0) for a in range(4)], mode="edge"
        )
        total = np.zeros_like(planes)
        for at in range(2 * half + 1):
            total += wide[:, :, at : at + width] if axis == 2 else wide[:, :, :, at : at + width]
        planes = total / np.float32(2 * half + 1)
    return planes


def trimmed_residuals(
    generations: np.ndarray, placed: np.ndarray, masks: np.ndarray, settings: SearchSettings
) -> tuple[np.ndarray, np.ndarray]:
    """How unlike two images' structure is over the telling pixels that agree best, and their area.

    About each pixel 1 - (2 cov + c) / (var_g + var_t + c), the structure part of SSIM (Wang 2004), with
    all channels summed: 0 where both vary alike or both hardly vary, up to 2 where they vary against
    each other. Plain areas of one colour agree for little, which RMSE would count as a match.

    A pixel under the mask tells something if either image departs there from the training image's
    background: two drawings on white agree on most of the white. The worst (1 - share) of the telling
    pixels are left out, so that a moved or a changed patch costs little.

    generations, placed : (n, 3, s, s), both less the background's colour. masks : (n, s, s) bool.

    Returns
    -------
    residual (n,) float64, root of the mean, inf where too few pixels tell anything; area (n,).
    """
    n, pixels = len(generations), masks[0].size if len(masks) else 0
    departs = np.maximum(np.abs(generations), np.abs(placed)).max(axis=1) > settings.background
    telling = (departs & masks).reshape(n, -1)
    window = max(3, round(settings.window * generations.shape[-1] / settings.size)) if n else 3
    g, t = box_means(generations, window), box_means(placed, window)
    spread = box_means(generations**2, window) - g**2 + box_means(placed**2, window) - t**2
    common = box_means(generations * placed, window) - g * t
    calm = np.float32(3 * settings.calm)
    unlike = 1 - (2 * common.sum(axis=1) + calm) / (np.maximum(spread.sum(axis=1), 0) + calm)
    errors = np.maximum(unlike, 0).astype(np.float64).reshape(n, -1)
    ordered = np.sort(np.where(telling, errors, np.inf), axis=1)
    count = telling.sum(axis=1)
    kept = np.ceil(settings.share * count).astype(int)
    inside = np.arange(pixels) < kept[:, None]
    total = np.where(inside, ordered, 0.0).sum(axis=1)
    enough = count >= max(1, settings.least_area * pixels)
    residual = np.where(enough, np.sqrt(total / np.maximum(kept, 1)), np.inf)
    return residual, count / max(1, pixels)


def residual_of(
    generation: np.ndarray, image: np.ndarray, found: dict[str, float], settings: SearchSettings
) -> float:
    """`trimmed_residuals` of one pair at a known placement: what a replay computes.

    generation, image : (s, s, 3), squares of `size`. found : side, top, left, flip.
    """
    size = settings.size
    image = soften(image, settings.blur)
    fill = background(image)
    seen, mask = place(
        image,
        size,
        int(found["side"]),
        int(found["top"]),
        int(found["left"]),
        bool(found["flip"]),
    )
    made = soften(resize(generation, size, size), settings.blur) - fill
    shown = (seen - fill).transpose(2, 0, 1)[None]
    return float(
        trimmed_residuals(made.transpose(2, 0, 1)[None], shown, mask[None], settings)[0][0]
    )


def pair_doubts(
    generation: np.ndarray,
    square: np.ndarray,
    best: dict[str, Any],
    search: SearchSettings,
    guards: GuardSettings,
    placeholder: bool,
) -> list[str]:
    """Why a match of these two may mean nothing, judged on the area that was compared.

    generation, square : (s, s, 3) in [0, 1].
    """
    side, top, left = (int(best[name]) for name in ("side", "top", "left"))
    placed, mask = place(square, search.size, side, top, left, bool(best["flip"]))
    found = ["training image: placeholder"] if placeholder else []
    return found + match_doubts(placed, generation, guards, search.calm**0.5, mask)


class Search:
    """The search with its placements laid out once."""

    def __init__(self, settings: SearchSettings):
        self.settings = settings
        self.placements = list_placements(settings)
        self._masks = self.placements.masks().reshape(len(self.placements.side), -1)
        self._flips = (False, True) if settings.flip else (False,)

    def prepare(self, images: np.ndarray) -> Generations:
        """Generations (n, h, w, 3) in [0, 1] for `compare`."""
        s = self.settings
        fine = np.zeros((len(images), s.size, s.size, 3), dtype=np.float32)
        coarse = np.zeros((len(images), s.coarse, s.coarse, 3), dtype=np.float32)
        for i, image in enumerate(images):
            fine[i] = soften(resize(image, s.size, s.size), s.blur)
            coarse[i] = resize(fine[i], s.coarse, s.coarse)
        planes = coarse.transpose(0, 3, 1, 2).reshape(len(coarse), 3, s.coarse**2)
        stack = np.concatenate([planes, (planes**2).sum(axis=1, keepdims=True)], axis=1)
        sums = stack @ self._masks.T.astype(np.float32)
        return Generations(
            planes.reshape(len(coarse), 3 * s.coarse**2),
            sums,
            np.ascontiguousarray(fine.transpose(0, 3, 1, 2)),
        )

    def compare(self, squares: list[np.ndarray], generations: Generations) -> Found:
        """Best placement of a training image in each generation.

        squares : the image as squares (h, h, 3): one, or the several ways to make it square.
        """
        best = self._compare(squares[0], generations, 0)
        for base, square in enumerate(squares[1:], 1):
            other = self._compare(square, generations, base)
            nearer = other.residual < best.residual
            best = Found(*(np.where(nearer, b, a) for a, b in zip(best, other, strict=True)))
        return best

    def _compare(self, square: np.ndarray, generations: Generations, base: int) -> Found:
        s, places = self.settings, self.placements
        image = soften(resize(square, s.size, s.size), s.blur)
        fill = background(image)
        flip, where, seen = self._coarse(image, fill, generations)
        side, top, left = places.side[where], places.top[where], places.left[where]
        made = generations.coarse.reshape(-1, 3, s.coarse, s.coarse) - fill[:, None, None]
        masks = self._masks[where].reshape(-1, s.coarse, s.coarse)
        residual, area = trimmed_residuals(made, seen, masks, s)
        step = s.size / s.coarse
        side, middle = np.rint(side * step).astype(int), side * step / 2
        top = np.rint(top * step + middle - side / 2).astype(int)
        left = np.rint(left * step + middle - side / 2).astype(int)
        found = Found(residual, np.full(len(flip), base), flip, side, top, left, area)
        for mirrored in self._flips:
            near = np.flatnonzero((residual <= s.refine) & (flip == mirrored))
            if len(near):
                self._refine(image, fill, mirrored, generations.fine, near, found)
        return found

    def _coarse(
        self, image: np.ndarray, fill: np.ndarray, generations: Generations
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flip and index of the best placement in each generation, and what it shows there.

        Best: least |g - t|^2 / (|g|^2 + |t|^2) over the overlap, both less the background, where enough
        of both images' energy lies in the overlap. An image that lies whole inside the frame may have
        anything around it.
        """
        s, places = self.settings, self.placements
        small = resize(image, s.coarse, s.coarse)
        sums = generations.sums
        plain = np.einsum("nck,c->nk", sums[:, :3], fill)
        energy = sums[:, 3] - 2 * plain + float(fill @ fill) * self._masks.sum(axis=1)
        planes = generations.coarse.reshape(len(energy), 3, -1)
        whole = ((planes - fill[:, None]) ** 2).sum(axis=(1, 2))
        shown = energy >= s.visible * whole[:, None]
        sizes = {side: resize(small, side, side) for side in dict.fromkeys(places.side.tolist())}
        fills = np.repeat(fill, s.coarse**2)
        scores, banks = [], []
        for flip in self._flips:
            parts, totals = [], []
            for side, sized in sizes.items():
                of_side = places.side == side
                drawn = border(sized, flip, s.coarse, fill)
                seen = windows(drawn, s.coarse, places.top[of_side], places.left[of_side])
                parts.append(seen.reshape(len(seen), -1))
                totals.append(np.full(len(seen), np.vdot(drawn, drawn)))
            bank, total = np.concatenate(parts), np.concatenate(totals)
            own = np.einsum("ki,ki->k", bank, bank)
            both = energy + own
            cross = generations.coarse @ bank.T - bank @ fills
            fits = (shown | (own >= WHOLE * total)) & (own >= s.visible * total) & (both > 0)
            scores.append(np.where(fits, 1 - 2 * cross / np.where(both > 0, both, 1), np.inf))
            banks.append(bank)
        score = np.concatenate(scores, axis=1)
        best = np.argmin(score, axis=1)
        flip = best >= len(places.side)
        seen = np.concatenate(banks)[best].reshape(-1, 3, s.coarse, s.coarse)
        return flip, best % len(places.side), seen

    def _refine(
        self,
        image: np.ndarray,
        fill: np.ndarray,
        flip: bool,
        fine: np.ndarray,
        near: np.ndarray,
        found: Found,
    ) -> None:
        """Sides and corners about the coarse ones, at full size; writes the better into `found`."""
        s = self.settings
        reach = math.ceil(s.size / s.coarse / 2)
        steps = np.arange(-reach, reach + 1)
        grow = np.arange(-2 * reach, 2 * reach + 1)
        more, down, right = (a.ravel() for a in np.meshgrid(grow, steps, steps, indexing="ij"))
        side = np.maximum(found.side[near][:, None] + more, 2)
        top = found.top[near][:, None] + down - more // 2
        left = found.left[near][:, None] + right - more // 2
        top, left = (np.clip(corner, -side, s.size) for corner in (top, left))
        made = fine[near] - fill[:, None, None]
        rows = np.ascontiguousarray(made.transpose(0, 2, 3, 1)).reshape(len(near), s.size, -1)
        energy = area_sums(np.einsum("ncyx,ncyx->nyx", made, made))
        score = np.full(side.shape, np.inf)
        drawings = {
            int(one): canvas(image, int(one), flip, s.size, fill) for one in np.unique(side)
        }
        for one, drawn in drawings.items():
            frames = row_windows(drawn, s.size)
            inner = drawn[s.size : s.size + one, s.size : s.size + one]
            own = area_sums(np.einsum("yxc,yxc->yx", inner, inner)[None])[0]
            for pair in np.flatnonzero((side == one).any(axis=1)):
                at = np.flatnonzero(side[pair] == one)
                down, right = top[pair, at], left[pair, at]
                first, last = s.size - down.max(), s.size - down.min() + 1
                begin, end = s.size - right.max(), s.size - right.min() + 1
                # a view of neighbouring frames: no copy of each is made
                cross = np.einsum("abij,ij->ab", frames[first:last, begin:end], rows[pair])
                here = cross[s.size - down - first, s.size - right - begin]
                inside = sum_between(energy[pair], down, right, one, s.size)
                seen = sum_between(own, -down, -right, s.size, one)
                both = inside + seen
                score[pair, at] = np.where(both > 0, 1 - 2 * here / np.where(both > 0, both, 1), 2)
        chosen = np.argmin(score, axis=1)
        here = np.arange(len(near))
        side, top, left = side[here, chosen], top[here, chosen], left[here, chosen]
        shown = np.empty_like(made)
        for one in np.unique(side):
            drawn = drawings[int(one)]
            shown[side == one] = windows(drawn, s.size, top[side == one], left[side == one])
        residual, area = trimmed_residuals(made, shown, covered(s.size, side, top, left), s)
        found.residual[near], found.area[near] = residual, area
        found.side[near], found.top[near], found.left[near] = side, top, left
