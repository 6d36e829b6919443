"""How near a model's generations come to an image: whole, under a template's mask, and at the best placement.

Webster 2023, section 4 (RMSE, masks) and Fig. 5 (copies that these miss). The p-value of an image is of its best placement
in the n generations of its caption, over what the n generations of each of the captions reach whose generations
look most like it and that have nothing to do with it: the same statistic of unrelated images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verbatim.audit.related_images import Partner
from verbatim.evidence.matching import Found, Generations, Search
from verbatim.evidence.null import relative_null, relative_residuals
from verbatim.evidence.pairing import thumbnails
from verbatim.evidence.placements import place
from verbatim.metrics.degenerate_images import GuardSettings, match_doubts
from verbatim.metrics.rmse import masked_rmse, rmse

NAN = float("nan")


@dataclass(frozen=True)
class NearSettings:
    """thresholds : RMSE up to which an image is given back whole (`mv`) and under a mask (`tv`). guards : of matches.

    unrelated : captions whose generations are an image's null. least : fewer give no p-value. quantile : of their
    residuals, what a residual is measured in.
    """

    thresholds: Mapping[str, float]
    guards: GuardSettings
    unrelated: int
    least: int
    quantile: float


def compare_whole(
    generations: np.ndarray,
    squares: Mapping[str, np.ndarray],
    partners: Sequence[Partner],
    settings: NearSettings,
) -> list[dict[str, Any]]:
    """Distances of each generation to an image: whole, and under the mask that brings it nearest.

    Parameters
    ----------
    generations : (g, s, s, 3). squares : the image's, by crop.

    Returns
    -------
    of each generation distance, crop, doubt; masked, masked_crop, partner, partner_crop, mask_area, masked_doubt, NaN,
    -1 and "" where no partner is known. A doubt says why a match within the threshold may mean nothing.
    """
    crops = list(squares)
    apart = rmse(generations, np.stack([squares[crop] for crop in crops]))
    under = [masked_rmse(generations, squares[partner.crop], partner.mask) for partner in partners]
    rows = []
    for g, made in enumerate(generations):
        at = int(np.argmin(apart[g]))
        row: dict[str, Any] = {
            "distance": float(apart[g, at]), "crop": crops[at], "doubt": "", "masked": NAN,
            "masked_crop": "", "partner": -1, "partner_crop": "", "mask_area": NAN, "masked_doubt": "",
        }  # fmt: skip
        limit = settings.thresholds["mv"]
        if row["distance"] <= limit:
            row["doubt"] = _doubts(squares[crops[at]], made, limit, settings)
        if under:
            best = int(np.argmin([values[g] for values in under]))
            partner, limit = partners[best], settings.thresholds["tv"]
            row |= {
                "masked": float(under[best][g]), "masked_crop": partner.crop, "partner": partner.other,
                "partner_crop": partner.other_crop, "mask_area": float(partner.mask.mean()),
            }  # fmt: skip
            if row["masked"] <= limit:
                row["masked_doubt"] = _doubts(
                    squares[partner.crop], made, limit, settings, partner.mask
                )
        rows.append(row)
    return rows


def _doubts(
    square: np.ndarray,
    made: np.ndarray,
    limit: float,
    settings: NearSettings,
    mask: np.ndarray | None = None,
) -> str:
    return "; ".join(match_doubts(square, made, settings.guards, limit, mask))


class Blocks:
    """The generations of every caption, n of each, made ready for the search and kept on disk.

    Parameters
    ----------
    fine : (captions, n, s, s, 3) float32, of `search.settings.size`; may be a memory map.
    readable : (captions, n) bool.
    """

    def __init__(self, search: Search, fine: np.ndarray, readable: np.ndarray):
        self.search, self.fine, self.readable = search, fine, readable
        self._afar = np.stack([thumbnails(np.asarray(block)) for block in fine])
        self._afar[~readable] = np.inf

    def prepare(self, captions: np.ndarray) -> Generations:
        """Generations of these captions, (len(captions) * n)."""
        some = np.concatenate([self.fine[int(caption)] for caption in captions])
        return self.search.prepare(some)

    def most_alike(self, square: np.ndarray, allowed: np.ndarray, most: int) -> np.ndarray:
        """The `most` allowed captions, at most, one of whose generations looks most like a square from afar.

        Unrelated captions drawn blindly would look less alike than an image's own, whose words describe it.
        """
        apart = ((self._afar - thumbnails(square[None])[0]) ** 2).sum(axis=2).min(axis=1)
        apart[~allowed] = np.inf
        order = np.argsort(apart, kind="stable")[:most]
        return order[np.isfinite(apart[order])]


def compare_placed(
    blocks: Blocks,
    squares: Mapping[str, np.ndarray],
    own: np.ndarray,
    related: np.ndarray,
    settings: NearSettings,
) -> tuple[list[dict[str, Any]], float, np.ndarray, np.ndarray]:
    """Best placement of an image in each generation of its captions, and what unrelated captions reach.

    Parameters
    ----------
    squares : the image's, of the search's size, by crop. own : captions of the image, indices.
    related : (captions,) bool, captions that have to do with it, its own among them.

    Returns
    -------
    rows : of each readable own generation caption, place (its place among the n), residual, relative, placed_crop, flip,
        side, top, left (in sides of the generation), visible (share of the image inside the frame), overlap (RMSE there).
    relative : the least of them; inf where nothing can be said.
    null : (captions,) the same of each unrelated caption; empty where there are fewer than `least`.
    residuals : (captions,) least residual of each unrelated caption, from which both are computed.
    """
    n, size = blocks.readable.shape[1], blocks.search.settings.size
    crops, bases = list(squares), list(squares.values())
    unrelated = blocks.most_alike(bases[0], ~related, settings.unrelated)
    both = np.concatenate([own, unrelated])
    there = blocks.readable[both]
    found = blocks.search.compare(bases, blocks.prepare(both))
    residual = np.where(there.ravel(), found.residual, np.inf).reshape(len(both), n)
    of_null = residual[len(own) :].min(axis=1)
    enough = len(unrelated) >= max(2, settings.least)
    mine = residual[: len(own)].ravel()
    relative = (
        relative_residuals(of_null, settings.quantile, mine)
        if enough
        else np.full(len(mine), np.inf)
    )
    rows = []
    for i in np.flatnonzero(there[: len(own)].ravel()).tolist():
        made = np.asarray(blocks.fine[int(own[i // n]), i % n])
        rows.append(
            {"caption": int(own[i // n]), "place": i % n, "residual": float(mine[i]), "relative": float(relative[i])}
            | _placed(found, i, crops, bases, made, size)
        )  # fmt: skip
    null = relative_null(of_null, settings.quantile) if enough else np.zeros(0)
    return rows, float(relative.min(initial=np.inf)), null, of_null


def _placed(
    found: Found,
    i: int,
    crops: Sequence[str],
    bases: Sequence[np.ndarray],
    made: np.ndarray,
    size: int,
) -> dict[str, Any]:
    """Where a square lies in a generation, how much of it, and how far apart the two are there."""
    side, top, left = (int(values[i]) for values in (found.side, found.top, found.left))
    base, flip = int(found.base[i]), bool(found.flip[i])
    placed, mask = place(bases[base], size, side, top, left, flip)
    overlap = masked_rmse(made[None], placed, mask)[0] if mask.any() else NAN
    return {
        "placed_crop": crops[base], "flip": flip, "side": side / size, "top": top / size, "left": left / size,
        "visible": float(mask.sum()) / side**2, "overlap": float(overlap),
    }  # fmt: skip
