"""The parts of a finding: the pairs that were compared, and the files that show them.

Building and replaying a bundle share this description. A finding's rows of `labels` and `verification` name the pairs,
and a pair names the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KINDS = ("MV", "RV", "TV")
LEVELS = ("full", "blurred", "none")
Row = Mapping[str, Any]


def comparisons_of(label: Row, found: Row, size: int, refine: float) -> list[dict[str, Any]]:
    """Every pair whose distance a finding states.

    Parameters
    ----------
    label, found : its rows of `labels` and `verification`, None for NaN.
    size : side of the squares that the verifier compared, pixels.
    refine : residual above which the verifier did not look closely (`SearchSettings`): what it found there was
        measured at the coarse size, is no match, and is not among the pairs.

    Returns
    -------
    kind (MV, RV, TV, verifier), seed, row, crop, distance; of TV partner and partner_crop, the training image that its
    mask was made with; of the verifier where it placed the training image: side, top, left in pixels, flip.
    """
    pairs: list[dict[str, Any]] = []
    for kind in KINDS:
        name = kind.lower()
        if label[f"distance_{name}"] is None:
            continue
        pair = {key: label[f"{key}_{name}"] for key in ("distance", "seed", "row", "crop")}
        if kind == "TV":
            pair |= {"partner": label["partner_tv"], "partner_crop": label["partner_crop_tv"]}
        pairs.append({"kind": kind} | pair)
    residual = found["residual"]
    if found["status"] != "missing" and residual is not None and residual <= refine:
        placed: dict[str, Any] = {key: round(found[key] * size) for key in ("side", "top", "left")}
        pairs.append(
            {"kind": "verifier", "seed": found["seed"], "row": found["source_row"]}
            | {"crop": found["crop"], "distance": residual}
            | placed
            | {"flip": found["flip"]}
        )
    return pairs


def rows_of(pairs: Sequence[Row]) -> list[int]:
    """Training rows that a finding shows, rising."""
    return sorted({pair[key] for pair in pairs for key in ("row", "partner") if key in pair})


def image_names(pairs: Sequence[Row]) -> list[str]:
    """Names of a finding's generations and training images, in the order of their names."""
    generated = {f"generated_{pair['seed']}.png" for pair in pairs}
    return sorted(generated | {f"source_{row}.png" for row in rows_of(pairs)})


def file_names(pairs: Sequence[Row], level: str, has_label_pair: bool) -> list[str]:
    """Names of all image files of a finding.

    full : generations, training images, mask.png of a template, and residual.png, the difference of the label's own
    pair. blurred : generations and training images. none : none.
    """
    if level == "none":
        return []
    names = image_names(pairs)
    if level == "full":
        names += ["mask.png"] if any(pair["kind"] == "TV" for pair in pairs) else []
        names += ["residual.png"] if has_label_pair else []
    return sorted(names)


def label_of(label: Row, order: Sequence[str], thresholds: Mapping[str, float]) -> tuple[str, str]:
    """Label that the stored distances give, and the kind of the pair that it is about.

    Webster 2023, section 4: the first kind, in the configured order, whose distance is at most its threshold; else N,
    with the nearest unmasked pair.

    Returns
    -------
    label in MV, RV, TV, N; kind in MV, RV, TV, or "" where nothing could be compared.
    """
    for kind in order:
        distance = label[f"distance_{kind.lower()}"]
        if distance is not None and distance <= thresholds[kind]:
            return kind, kind
    unmasked = [
        (label[f"distance_{kind.lower()}"], kind)
        for kind in ("MV", "RV")
        if label[f"distance_{kind.lower()}"] is not None
    ]
    return "N", min(unmasked)[1] if unmasked else ""


def pair_of_label(label: Row, kind: str) -> dict[str, Any]:
    """Seed, source_row, crop and distance of a kind's pair, as the label's own columns name them."""
    name = kind.lower()
    columns = {"seed": "seed", "source_row": "row", "crop": "crop", "distance": "distance"}
    return {own: label[f"{column}_{name}"] for own, column in columns.items()}


class Outcome(NamedTuple):
    """One thing that a bundle says, replayed. fault : what disagrees; why : why it was not replayed; "" where not so."""

    prompt_id: int
    what: str
    fault: str = ""
    why: str = ""
