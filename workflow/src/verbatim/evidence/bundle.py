"""An evidence bundle: everything that a finding rests on, in files that can be handed on.

run.json says how it was computed; findings/{prompt_id}/ has finding.json and the pictures that it was
computed from, byte for byte as they lie in the run's archives, unless they are blurred or left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from verbatim.compare import fit_square, masked_rmse, rmse
from verbatim.evidence.manifest import canonical, sha256
from verbatim.evidence.panels import residual
from verbatim.images import (
    ImageArchive,
    ImageError,
    Seeds,
    decode_image,
    encode_png,
    resize,
    row_name,
    seeds_of,
    synthesis_name,
)

NEAR = 1e-7  # a stored distance is the distance of a pair that gives it this nearly
BLUR = 6  # ASSUME: a radius of a sixth of the longer side leaves patches of colour, and no face
COPIES = ("MV", "RV", "TV")


class BundleError(ValueError):
    """There is no such finding; the message names the key and the cure."""


@dataclass(frozen=True)
class Archives:
    """A model's pictures, and the rows of each prompt that its syntheses were held against."""

    images: ImageArchive
    training: ImageArchive
    masks: ImageArchive
    rows: Mapping[int, Sequence[int]]
    captions: Mapping[int, str]
    urls: Mapping[int, str]


def choose_findings(labels: pd.DataFrame, verification: pd.DataFrame, asked: str) -> pd.DataFrame:
    """Rows of `labels` that go into a bundle: all copies and all verified prompts, or the one asked for."""
    if asked == "all":
        verified = set(verification.loc[verification["verified"], "prompt_id"])
        found = labels["label"].isin(COPIES) | labels["prompt_id"].isin(verified)
        return labels[found]
    one = labels[labels["prompt_id"] == int(asked)]
    if one.empty or one["source_row"].lt(0).all():
        why = "has no picture to compare with" if len(one) else "is no candidate of this model"
        raise BundleError(
            f"prompt_id {asked} {why}; the candidates are in labels.parquet, and `all` is every finding"
        )
    return one


def rows_compared(
    labels: pd.DataFrame, neighbours: pd.DataFrame, relatives: pd.DataFrame, fetched: pd.DataFrame
) -> dict[int, list[int]]:
    """prompt_id -> rows with a picture that its syntheses may have been held against."""
    good = set(fetched.loc[fetched["status"].eq("ok"), "row"].tolist())
    near = neighbours.groupby("prompt_id")["row"].agg(list).to_dict()
    more = relatives.groupby("row")["relative"].agg(list).to_dict()
    found = {}
    for prompt_id, row in zip(labels["prompt_id"].tolist(), labels["row"].tolist(), strict=True):
        asked = [row, *near.get(prompt_id, ())]
        wide = [*asked, *(other for one in asked for other in more.get(one, ()))]
        found[prompt_id] = [one for one in dict.fromkeys(wide) if one in good]
    return found


def _readable(archive: ImageArchive, name: str) -> np.ndarray | None:
    """A member's picture; None where there is none or it cannot be used."""
    try:
        return archive.read(name)
    except (KeyError, ImageError):
        return None


def trace_distances(
    label: Mapping[Any, Any], archives: Archives, seeds: Seeds, size: int
) -> list[dict[str, Any]]:
    """Which pair each stored distance is of: kind, seed, row, crop, distance, masked.

    `labels` keeps the pair of the label alone; the others are found by their distance. A picture that
    cannot be read was not compared with any by the labels either, and is left out.
    """
    prompt_id = int(label["prompt_id"])
    there: list[int] = []
    syntheses = []
    for seed in seeds_of(seeds, prompt_id):
        picture = _readable(archives.images, synthesis_name(prompt_id, seed))
        if picture is not None:
            there.append(seed)
            syntheses.append(resize(picture, size, size))
    made = np.stack(syntheses)
    keys: list[tuple[int, str]] = []
    squares = []
    for row in archives.rows[prompt_id]:
        picture = _readable(archives.training, row_name(row))
        for crop, square in ({} if picture is None else fit_square(picture, size)).items():
            keys.append((row, crop))
            squares.append(square)
    own_row = int(label["row"])
    own = np.array(
        [row == own_row or archives.captions[row] == label["caption"] for row, _ in keys],
        dtype=bool,
    )
    plain = rmse(made, np.stack(squares))
    tables = {"MV": np.where(own, plain, np.inf), "RV": np.where(own, np.inf, plain)}
    if label["mask_file"]:
        mask = archives.masks.read(label["mask_file"])[:, :, 0] > 0.5
        tables["TV"] = np.stack([masked_rmse(made, square, mask) for square in squares], axis=1)
    found = []
    for kind, table in tables.items():
        stored = label[f"distance_{kind.lower()}"]
        if not np.isfinite(stored):
            continue
        place, at = np.unravel_index(np.argmin(np.abs(table - stored)), table.shape)
        if abs(table[place, at] - stored) <= NEAR:
            row, crop = keys[int(at)]
            found.append(
                {
                    "kind": kind, "seed": there[int(place)], "row": row, "crop": crop,
                    "distance": float(stored), "masked": kind == "TV",
                }
            )  # fmt: skip
    pair = {"seed": int(label["seed"]), "row": int(label["source_row"]), "crop": label["crop"]}
    first = {"kind": f"label {label['label']}", **pair, "distance": float(label["distance"])}
    return [first | {"masked": label["label"] == "TV"}, *found]


def blur(data: bytes) -> bytes:
    """A picture's file, blurred beyond recognition, as PNG."""
    with Image.open(io.BytesIO(encode_png(decode_image(data)))) as picture:
        radius = max(picture.size) / BLUR
        out = io.BytesIO()
        picture.filter(ImageFilter.GaussianBlur(radius)).save(out, "PNG")
    return out.getvalue()


def finding_files(
    label: Mapping[Any, Any],
    found: Mapping[Any, Any],
    archives: Archives,
    seeds: Seeds,
    sizes: Mapping[str, int],
    refine: float,
    pictures: str,
) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of one finding's files, finding.json first.

    Parameters
    ----------
    label, found : its rows of `labels` and `verification`. seeds : of every prompt, or prompt_id -> its
    own. sizes : of the squares, of `labels` and
    `evidence`. refine : residual above which the verifier did not look closely (`SearchSettings`): what it
    found there was measured at the coarse size, is no match, and is not among the distances to replay.
    pictures : full, blurred or none.
    """
    prompt_id = int(label["prompt_id"])
    folder = f"findings/{prompt_id}"
    pairs = trace_distances(label, archives, seeds, sizes["labels"])
    if found["status"] != "missing" and found["residual"] <= refine:
        size = sizes["evidence"]
        placed = {name: round(found[name] * size) for name in ("side", "top", "left")}
        pairs.append(
            {
                "kind": "verifier", "seed": int(found["seed"]), "row": int(found["source_row"]),
                "crop": found["crop"], "distance": float(found["residual"]), "masked": False,
                "placed": placed | {"flip": bool(found["flip"])},
            }
        )  # fmt: skip
    originals: dict[str, bytes] = {}
    comparisons = []
    for pair in pairs:
        generated, source = f"generated_{pair['seed']}.png", f"source_{pair['row']}.png"
        name = synthesis_name(prompt_id, pair["seed"])
        originals[generated] = archives.images.read_bytes(name)
        originals[source] = archives.training.read_bytes(row_name(pair["row"]))
        where = {"generated": f"{folder}/{generated}", "source": f"{folder}/{source}", "mask": ""}
        if pair["masked"]:
            originals["mask.png"] = archives.masks.read_bytes(label["mask_file"])
            where["mask"] = f"{folder}/mask.png"
        comparisons.append(pair | where | {"source_url": archives.urls.get(pair["row"], "")})
    originals["residual.png"] = encode_png(
        _residual(comparisons[0], folder, originals, sizes["labels"])
    )
    shown = {
        name: blur(data) if pictures == "blurred" and name != "mask.png" else data
        for name, data in originals.items()
        if pictures != "none" or name == "mask.png"
    }
    said = {name: _plain(value) for name, value in label.items()}
    finding = {
        "prompt_id": prompt_id, "prompt": label["caption"], "label": said, "pictures": pictures,
        "verification": {name: _plain(value) for name, value in found.items()},
        "comparisons": comparisons,
        "original_sha256": {name: sha256(data) for name, data in sorted(originals.items())},
    }  # fmt: skip
    yield f"{folder}/finding.json", (canonical(finding) + "\n").encode()
    for name, data in sorted(shown.items()):
        yield f"{folder}/{name}", data


def _residual(
    first: Mapping[str, Any], folder: str, originals: Mapping[str, bytes], size: int
) -> np.ndarray:
    """What differs between the pictures of the label's own comparison."""
    files = {key: first[key].removeprefix(f"{folder}/") for key in ("generated", "source", "mask")}
    made = resize(decode_image(originals[files["generated"]]), size, size)
    square = fit_square(decode_image(originals[files["source"]]), size)[first["crop"]]
    mask = decode_image(originals[files["mask"]])[:, :, 0] > 0.5 if files["mask"] else None
    return residual(made, square, mask)


def _plain(value: Any) -> Any:
    """A cell as JSON has it; None for NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def bundle_files(
    run: Mapping[str, Any], findings: Iterable[Iterator[tuple[str, bytes]]]
) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every file of a bundle but the manifest, in the manifest's order."""
    yield "run.json", (canonical(run) + "\n").encode()
    for finding in findings:
        yield from finding
