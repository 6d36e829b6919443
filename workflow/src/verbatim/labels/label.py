"""Label the generations of a prompt as a copy (MV, RV, TV) or not (N), with the training image that is copied.

Webster 2023, section 4: matching verbatim (an image of this very caption), retrieved verbatim
(another training image), template verbatim (equal to a training image except for a region that varies).

Order: the distance under a mask is rarely larger than without one. The reference tries TV first, so it labels nearly
every exact copy with a template partner as a template. Here the configured order decides. The default is MV, RV, TV,
so that TV are the copies that only the mask shows. The table has all three distances, so any other order can be
computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from verbatim.io.images import ImageError, Seeds, generation_name, resize, seeds_of
from verbatim.labels.fetched_images import ComparedRows, FetchedImages, Squares
from verbatim.labels.masks import MaskSettings, choose_partners
from verbatim.metrics.degenerate_images import GuardSettings, match_doubts
from verbatim.metrics.rmse import masked_rmse, rmse
from verbatim.metrics.template_masks import template_mask

NAN = float("nan")


@dataclass(frozen=True)
class LabelSettings:
    """thresholds : label -> RMSE in [0, 1] up to which a match has it. order : labels in the order in which they are tried."""

    preset: str
    thresholds: Mapping[str, float]
    order: Sequence[str]
    mask: MaskSettings
    guards: GuardSettings


class Match(NamedTuple):
    """The nearest pair of one kind.

    seed, source : indices of the generation and of the training image. mask : (s, s) bool, of TV alone;
    partner : index of the training image that the mask was made with.
    """

    distance: float
    seed: int
    source: int
    mask: np.ndarray | None = None
    partner: int | None = None


class Verdict(NamedTuple):
    """One prompt: the columns of the `labels` table that judging fills, and the best template mask."""

    record: dict[str, Any]
    mask: np.ndarray | None


def best_match(distances: np.ndarray, allowed: np.ndarray) -> Match | None:
    """Nearest pair among the allowed training images. Of ties the lower seed counts, then the first image.

    distances : (g, t) RMSE in [0, 1]. allowed : (t,) bool. None if no image is allowed."""
    sources = np.flatnonzero(allowed)
    if not len(sources) or not len(distances):
        return None
    seed, source = np.unravel_index(
        np.argmin(distances[:, sources]), (len(distances), len(sources))
    )
    source = sources[source]
    return Match(float(distances[seed, source]), int(seed), int(source))


def best_template(
    generations: np.ndarray, distances: np.ndarray, training: Squares, settings: MaskSettings
) -> Match | None:
    """Nearest pair under a template mask, over the training images that have a partner.

    Webster 2023, section 4. Each mask is used only on the image that it was made from.

    generations : (g, s, s, 3) in [0, 1]. distances : (g, t), RMSE without a mask, in [0, 1].
    """
    nearest = distances.min(axis=0)
    sources: dict[int, int] = {}
    for i in np.argsort(nearest, kind="stable"):
        if len(sources) == settings.sources:
            break
        sources.setdefault(int(training.rows[i]), int(i))  # a row once, in its nearest crop
    for i in np.flatnonzero(training.own):  # the prompt's own images are always tried
        row = int(training.rows[i])
        if row not in sources or nearest[i] < nearest[sources[row]]:
            sources[row] = int(i)
    chosen = list(sources.values())
    between = rmse(training.images[chosen], training.images)
    best: Match | None = None
    for i, to_others in zip(chosen, between, strict=True):
        for partner in choose_partners(to_others, training.rows, int(training.rows[i]), settings):
            mask = template_mask(
                training.images[i],
                training.images[partner],
                settings.difference,
                settings.erode,
                settings.dilate,
            )
            if mask.mean() < settings.min_area or not mask.any():
                continue
            under = masked_rmse(generations, training.images[i], mask)
            seed = int(np.argmin(under))
            if best is None or under[seed] < best.distance:
                best = Match(float(under[seed]), seed, i, mask, partner)
    return best


def label_generations(
    generations: np.ndarray, seeds: Sequence[int], training: Squares, settings: LabelSettings
) -> Verdict:
    """Label of one prompt from its generations and the training images that they are compared with.

    Parameters
    ----------
    generations : (g, s, s, 3) in [0, 1]. seeds : (g,).

    Returns
    -------
    Verdict. N comes with the nearest unmasked pair; `missing` where there is nothing to compare.
    """
    if not len(generations) or not len(training.rows):
        what = "generation" if not len(generations) else "training image"
        return Verdict(_missing(f"no {what} could be read"), None)
    distances = rmse(generations, training.images)
    matches = {
        "MV": best_match(distances, training.own),
        "RV": best_match(distances, ~training.own),
        "TV": best_template(generations, distances, training, settings.mask),
    }
    label, match = "N", best_match(distances, np.ones(len(training.rows), dtype=bool))
    for kind in settings.order:
        candidate = matches[kind]
        if candidate is not None and candidate.distance <= settings.thresholds[kind]:
            label, match = kind, candidate
            break
    assert match is not None  # there is at least one pair
    reasons: list[str] = []
    if label != "N":
        reasons = match_doubts(
            training.images[match.source],
            generations[match.seed],
            settings.guards,
            settings.thresholds[label],
            match.mask,
        )
    template = None if matches["TV"] is None else matches["TV"].mask
    record = {
        "label": label,
        "seed": seeds[match.seed],
        "source_row": int(training.rows[match.source]),
        "distance": match.distance,
        **{
            f"distance_{kind.lower()}": NAN if other is None else other.distance
            for kind, other in matches.items()
        },
        **pair_columns(matches, seeds, training),
        "mask_area": NAN if template is None else float(template.mean()),
        "crop": training.crops[match.source],
        "review": bool(reasons),
        "review_reason": "; ".join(reasons),
        "status": "ok",
    }
    return Verdict(record, template)


def pair_columns(
    matches: Mapping[str, Match | None], seeds: Sequence[int], training: Squares
) -> dict[str, Any]:
    """Columns that name the pair of each `distance_*`, so that it can be recomputed from the images.

    Returns
    -------
    seed_*, row_*, crop_* of MV, RV and TV, and of TV `partner_tv`, `partner_crop_tv`, the training image that its
    mask was made with; -1 and "" where there is no pair.
    """
    columns: dict[str, Any] = {}
    for kind, match in matches.items():
        name = kind.lower()
        columns[f"seed_{name}"] = -1 if match is None else int(seeds[match.seed])
        columns[f"row_{name}"] = -1 if match is None else int(training.rows[match.source])
        columns[f"crop_{name}"] = "" if match is None else training.crops[match.source]
    template = matches["TV"]
    partner = None if template is None else template.partner
    columns["partner_tv"] = -1 if partner is None else int(training.rows[partner])
    columns["partner_crop_tv"] = "" if partner is None else training.crops[partner]
    return columns


def label_prompts(
    selection: pd.DataFrame,
    seeds: Seeds,
    read_generation: Callable[[str], np.ndarray],
    training: FetchedImages,
    compared: ComparedRows,
    settings: LabelSettings,
) -> Iterator[Verdict]:
    """`label_generations` of every prompt of a `selection`, whole records of the `labels` table.

    If a prompt has a row of its own but no image of its caption could be read, MV cannot be tested, and the prompt is
    `missing` instead of N. A copy of another image keeps its label.

    Parameters
    ----------
    seeds : of every prompt, or prompt_id -> its own.
    read_generation : image of a member name; raises KeyError or ImageError.
    training : images that they are compared with, as squares of `training.size` pixels.
    """
    size = training.size
    for prompt in selection.to_dict("records"):
        prompt_id, row = int(prompt["prompt_id"]), int(prompt["row"])
        images, read, broken = [], [], []
        for seed in seeds_of(seeds, prompt_id):
            try:
                image = read_generation(generation_name(prompt_id, seed))
            except (KeyError, ImageError) as err:
                broken.append(f"generation of seed {seed}: {err}")
                continue
            images.append(resize(image, size, size))
            read.append(seed)
        rows = compared.of_prompt(prompt_id, row)
        squares = training.squares(rows, prompt["caption"], row)
        generations = np.stack(images) if images else np.zeros((0, size, size, 3))
        record, mask = label_generations(generations, read, squares, settings)
        notes = [record["review_reason"], *broken]
        if record["label"] == "N" and row in training.unreadable and not squares.own.any():
            # it was not compared with its own image, so there is no verdict; the nearest pair is kept
            record |= {"label": "missing", "status": "missing"}
            notes.insert(0, f"own image not read: {training.unreadable[row]}")
        record["review_reason"] = "; ".join(note for note in notes if note)
        if broken:
            record["review"] |= record["label"] == "N"  # the one unread may be a copy
        record |= {name: prompt[name] for name in ("prompt_id", "caption", "row", "extra", "why")}
        record["mask_file"] = "" if mask is None else f"{prompt_id}.png"
        record["preset"] = settings.preset
        yield Verdict(record, mask)


def _missing(reason: str) -> dict[str, Any]:
    return {
        "label": "missing",
        "seed": -1,
        "source_row": -1,
        "distance": NAN,
        "distance_mv": NAN,
        "distance_rv": NAN,
        "distance_tv": NAN,
        **{f"seed_{kind}": -1 for kind in ("mv", "rv", "tv")},
        **{f"row_{kind}": -1 for kind in ("mv", "rv", "tv")},
        **{f"crop_{kind}": "" for kind in ("mv", "rv", "tv")},
        "partner_tv": -1,
        "partner_crop_tv": "",
        "mask_area": NAN,
        "crop": "",
        "review": False,
        "review_reason": reason,
        "status": "missing",
    }
