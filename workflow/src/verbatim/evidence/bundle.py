"""An evidence bundle: all files that a finding depends on, to hand on.

run.json says how it was computed; findings/{prompt_id}/ has finding.json and the images that it was
computed from, byte for byte as they lie in the run's archives, unless they are blurred or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.evidence.bundle_manifest import canonical, read_canonical, sha256
from verbatim.evidence.bundle_null import Null, null_residuals
from verbatim.evidence.finding import (
    KINDS,
    comparisons_of,
    file_names,
    image_names,
    rows_of,
)
from verbatim.evidence.panels import residual
from verbatim.evidence.pixels import BundleImages
from verbatim.evidence.replay import replay_finding
from verbatim.evidence.rules import Rules
from verbatim.evidence.statements import FOUND, LABEL, Residuals, read_finding
from verbatim.io.image_store import Images
from verbatim.io.images import (
    ImageArchive,
    ImageError,
    decode_image,
    encode_png,
    generation_name,
    resize,
    row_name,
)
from verbatim.io.privacy import blur
from verbatim.metrics.rmse import fit_square


class BundleError(ValueError):
    """There is no such finding, or the run's own files disagree; the message names the key and the cure."""


@dataclass(frozen=True)
class Archives:
    """A model's images, captions and addresses of training rows, and what its p-values are counted in.

    residuals : number of a training image -> residuals of its unrelated generations. null : of all of them.
    """

    images: ImageArchive | Images
    training: ImageArchive
    masks: ImageArchive
    captions: Mapping[int, str]
    urls: Mapping[int, str]
    residuals: Mapping[int, Residuals]
    null: Null


def residuals_of(table: pd.DataFrame) -> dict[int, Residuals]:
    """Number of a training image -> residuals of its unrelated generations, of a `null` table."""
    groups = table.groupby("image")["residual"]
    return {int(image): null_residuals(values.tolist()) for image, values in groups}  # type: ignore[arg-type]


def choose_findings(labels: pd.DataFrame, verification: pd.DataFrame, asked: str) -> pd.DataFrame:
    """Rows of `labels` that go into a bundle: all copies and all verified prompts, or the one asked for."""
    if asked == "all":
        verified = set(verification.loc[verification["verified"], "prompt_id"])
        found = labels["label"].isin(KINDS) | labels["prompt_id"].isin(verified)
        return labels[found]
    one = labels[labels["prompt_id"] == int(asked)]
    if one.empty or one["source_row"].lt(0).all():
        why = "has no image to compare with" if len(one) else "is no candidate of this model"
        raise BundleError(
            f"prompt_id {asked} {why}; the candidates are in labels.parquet, and `all` is every finding"
        )
    return one


def rows_shown(labels: pd.DataFrame, verification: pd.DataFrame) -> list[int]:
    """Every training row that findings of these tables may show, rising."""
    columns = [labels[name] for name in ("row_mv", "row_rv", "row_tv", "partner_tv", "source_row")]
    rows = pd.concat([*columns, verification["source_row"]])
    return sorted(set(rows[rows >= 0].tolist()))


def finding_files(
    label: Mapping[Any, Any],
    found: Mapping[Any, Any],
    archives: Archives,
    rules: Rules,
    level: str,
) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of one finding's files, finding.json first.

    It is replayed in full before anything of it is hidden.

    Parameters
    ----------
    label, found : its rows of `labels` and `verification`. rules : of the run. level : full, blurred or none.

    Raises
    ------
    BundleError
        The tables and archives of the run disagree.
    """
    label = {name: _plain(label[name]) for name in LABEL}
    found = {name: _plain(found[name]) for name in FOUND}
    folder = f"findings/{label['prompt_id']}"
    pairs = comparisons_of(label, found, rules.search.size, rules.search.refine)
    originals = _read_originals(label, pairs, archives, rules)
    finding = {
        "prompt_id": label["prompt_id"], "prompt": label["caption"], "images": "full", "label": label,
        "verification": found, "comparisons": pairs,
        "sources": {
            str(row): {"caption": archives.captions[row], "url": archives.urls.get(row, "")}
            for row in rows_of(pairs)
        },
        "original_sha256": {name: sha256(data) for name, data in originals.items()},
        "null": list(archives.residuals.get(found["image"], ())),
    }  # fmt: skip
    data = (canonical(finding) + "\n").encode()
    shown = {f"{folder}/{name}": one for name, one in originals.items()}
    _check_replay(f"{folder}/finding.json", data, BundleImages(shown), rules, archives.null)
    if level != "full":
        hidden = {row: one | {"url": ""} for row, one in finding["sources"].items()}
        finding |= {"images": level, "sources": hidden, "original_sha256": {}}
        data = (canonical(finding) + "\n").encode()
        names = file_names(pairs, level, label["source_row"] >= 0)
        shown = {
            f"{folder}/{name}": encode_png(blur(decode_image(originals[name]))) for name in names
        }
    yield f"{folder}/finding.json", data
    yield from sorted(shown.items())


def _read_originals(
    label: Mapping[str, Any], pairs: list[dict[str, Any]], archives: Archives, rules: Rules
) -> dict[str, bytes]:
    """Name in the bundle -> bytes, of a finding's images, its mask and the residual of the label's pair."""
    prompt_id, data = label["prompt_id"], {}
    try:
        for name in image_names(pairs):
            kind, _, key = name.removesuffix(".png").partition("_")
            made = kind == "generated"
            member = generation_name(prompt_id, int(key)) if made else row_name(int(key))
            data[name] = (archives.images if made else archives.training).read_bytes(member)
        if any(pair["kind"] == "TV" for pair in pairs):
            data["mask.png"] = archives.masks.read_bytes(label["mask_file"])
        if label["source_row"] >= 0:
            generated = decode_image(data[f"generated_{label['seed']}.png"])
            source = decode_image(data[f"source_{label['source_row']}.png"])
            square = fit_square(source, rules.size)[label["crop"]]
            is_template = label["label"] == "TV"
            mask = decode_image(data["mask.png"])[:, :, 0] > 0.5 if is_template else None
            drawn = resize(generated, rules.size, rules.size)
            data["residual.png"] = encode_png(residual(drawn, square, mask))
    except (KeyError, ImageError) as err:
        raise BundleError(_disagree(prompt_id, f"{err} cannot be read")) from err
    return dict(sorted(data.items()))


def _check_replay(path: str, data: bytes, images: BundleImages, rules: Rules, null: Null) -> None:
    """Raises BundleError unless the finding can be replayed from its files."""
    finding = read_finding(path, read_canonical(data[:-1]), rules)
    for one in replay_finding(finding, rules, null, images):
        if one.fault:
            raise BundleError(_disagree(one.prompt_id, one.fault))


def _disagree(prompt_id: int, fault: str) -> str:
    return (
        f"prompt {prompt_id}: {fault}. labels.parquet, verification.parquet and the archives beside them are not of one "
        "run; delete them and run again"
    )


def _plain(value: Any) -> Any:
    """A cell as JSON has it; None for NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
