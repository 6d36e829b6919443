"""What was given back, as findings that a bundle holds and anybody can replay: rows of `labels` and `verification`.

Each is judged once more, by the labels' own function, from the images alone: what a bundle says is what its files give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.evidence.matching import pair_doubts
from verbatim.evidence.placements import SearchSettings
from verbatim.evidence.rules import Rules
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, generation_name, resize, row_name
from verbatim.labels.fetched_images import Squares
from verbatim.labels.label import LabelSettings, label_generations
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.rmse import fit_square

NAN = float("nan")
FOUND = ("given_back", "in_part")


@dataclass(frozen=True)
class FindingSettings:
    """label : of the labels. size : side of their squares, pixels. search : of placements. alpha : false discovery rate."""

    label: LabelSettings
    size: int
    search: SearchSettings
    alpha: float


def read_settings(rules: Rules, labels: Mapping[str, Any]) -> FindingSettings:
    """Settings of the findings from a bundle's rules, and the config's block of labels as `run.json` has it."""
    thresholds = {kind.upper(): value for kind, value in labels["thresholds"].items()}
    mask = MaskSettings(**labels["mask"])
    how = LabelSettings(rules.preset, thresholds, rules.order, mask, rules.guards)
    return FindingSettings(how, rules.size, rules.search, rules.alpha)


def choose_findings(
    images: pd.DataFrame, verdicts: pd.DataFrame, tests: pd.DataFrame, prompts: pd.DataFrame
) -> pd.DataFrame:
    """Images that were given back, whole or in part, with their verdicts: of duplicates, and of a prompt, the first.

    images, verdicts, tests : tables `audit_*`; a verdict's prompt_id becomes prompt_id_of. prompts : a `selection` table.
    """
    table = images.merge(verdicts, on="image", suffixes=("", "_of"))
    table = table[table["verdict"].isin(FOUND) & table["duplicate_of"].lt(0)]
    table = table.drop_duplicates("prompt_id_of").merge(
        tests[["image", "n_null", "relative"]], on="image"
    )
    captions = dict(zip(prompts["prompt_id"], prompts["caption"], strict=True))
    return table.assign(prompt=table["prompt_id_of"].map(captions))


def describe_findings(
    chosen: Iterable[Mapping[Any, Any]],
    pairs: pd.DataFrame,
    generations: Images,
    archive: ImageArchive,
    captions: Mapping[int, str],
    settings: FindingSettings,
) -> list[tuple[dict[str, Any], dict[str, Any], np.ndarray | None]]:
    """`describe_finding` of every row of `choose_findings`, read from the audit's archives."""
    described = []
    for row in chosen:
        prompt_id = int(row["prompt_id_of"])
        some = pairs[pairs["image"].eq(row["image"]) & pairs["prompt_id"].eq(prompt_id)]
        made = {
            seed: generations.read(generation_name(prompt_id, seed))
            for seed in some["seed"].tolist()
        }
        described.append(
            describe_finding(
                row, some, made, lambda image: archive.read(row_name(image)), captions, settings
            )
        )
    return described


def describe_finding(
    row: Mapping[Any, Any],
    pairs: pd.DataFrame,
    made: Mapping[int, np.ndarray],
    read: Callable[[int], np.ndarray],
    captions: Mapping[int, str],
    settings: FindingSettings,
) -> tuple[dict[str, Any], dict[str, Any], np.ndarray | None]:
    """Rows of `labels` and `verification` of one finding, and its template mask.

    Parameters
    ----------
    row : of `choose_findings`, with n_null and relative of its `audit_tests`. pairs : the image's of this prompt, an `audit_pairs` table.
    made : seed -> generation (h, w, 3) of the prompt. read : an image of the folder by its key. captions : of every image.
    """
    image, prompt_id = int(row["image"]), int(row["prompt_id_of"])
    partners = sorted({int(one) for one in pairs["partner"] if one >= 0})
    training = _squares([image, *partners], row["prompt"], image, read, captions, settings.size)
    stack = np.stack([resize(one, settings.size, settings.size) for one in made.values()])
    record, mask = label_generations(stack, list(made), training, settings.label)
    label = record | {
        "prompt_id": prompt_id, "caption": row["prompt"], "row": image, "extra": False, "why": "audit",
        "mask_file": "" if mask is None else f"{prompt_id}.png", "preset": settings.label.preset,
    }  # fmt: skip
    found = _verification(row, pairs, label["label"], prompt_id)
    if found["q"] <= settings.alpha:
        found["doubt"] = _doubt(found, made[found["seed"]], read(image), settings)
    found["verified"] = bool(found["q"] <= settings.alpha and not found["doubt"])
    return label, found, mask


def _squares(
    rows: Sequence[int],
    prompt: str,
    own: int,
    read: Callable[[int], np.ndarray],
    captions: Mapping[int, str],
    size: int,
) -> Squares:
    """These images of the folder as the labels take training images: once a crop."""
    squares = [
        (row, crop, square) for row in rows for crop, square in fit_square(read(row), size).items()
    ]
    return Squares(
        np.array([row for row, _, _ in squares], dtype=np.int64),
        [crop for _, crop, _ in squares],
        np.array([row == own or captions[row] == prompt for row, _, _ in squares], dtype=bool),
        np.stack([square for _, _, square in squares]),
    )


def _verification(
    row: Mapping[Any, Any], pairs: pd.DataFrame, label: str, prompt_id: int
) -> dict[str, Any]:
    """A row of `verification`: the best placement, and the p-value, which is of all generations together (one try).

    An image with several captions has the p-value of the caption that gives it back most nearly; a finding of another one
    has none.
    """
    known = pairs.dropna(subset=["residual"])
    best = None if known.empty else known.sort_values("residual").to_dict("records")[0]
    out: dict[str, Any] = {
        "prompt_id": prompt_id, "extra": False, "label": label, "seed": -1, "source_row": -1, "image": -1, "crop": "", "flip": False,
        "side": NAN, "top": NAN, "left": NAN, "area": NAN, "residual": NAN, "relative": NAN, "p_pair": NAN, "n_pairs": 0,
        "p": NAN, "q": NAN, "n_null": 0, "verified": False, "doubt": "", "status": "missing",
    }  # fmt: skip
    if best is None:
        return out
    of_this = best["relative"] == row["relative"] or np.isnan(row["relative"])
    tested = bool(np.isfinite(row["p"]) and of_this)
    p, q = (float(row[name]) if tested else NAN for name in ("p", "q"))
    out |= {name: float(best[name]) for name in ("side", "top", "left", "residual", "relative")}
    return out | {
        "seed": int(best["seed"]), "source_row": int(row["image"]), "image": int(row["image"]) if tested else -1,
        "crop": best["placed_crop"], "flip": bool(best["flip"]), "p_pair": p, "n_pairs": 1, "p": p, "q": q,
        "n_null": int(row["n_null"]) if tested else 0, "status": "ok" if tested else "no null",
    }  # fmt: skip


def _doubt(
    found: Mapping[str, Any], made: np.ndarray, image: np.ndarray, settings: FindingSettings
) -> str:
    """Why the verifier's match may mean nothing, looked at where the two were compared."""
    size = settings.search.size
    at = {name: round(found[name] * size) for name in ("side", "top", "left")}
    square = fit_square(image, size)[found["crop"]]
    best = at | {"flip": found["flip"]}
    made = resize(made, size, size)
    reasons = pair_doubts(made, square, best, settings.search, settings.label.guards, False)
    return "; ".join(reasons)
