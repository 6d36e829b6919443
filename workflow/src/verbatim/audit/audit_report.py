"""An audit to hand on: one page that opens offline, and the same for a program to read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.images import encode_jpeg, encode_png, resize
from verbatim.io.pages import render_template
from verbatim.io.privacy import Privacy
from verbatim.metrics.intervals import clopper_pearson

SHOWN_SIDE = 256  # pixels of the longer side of an image on the page
PLAIN_SIDE = 128  # up to which an image is embedded without loss
QUALITY = 88  # of JPEG above that
ORDER = {"given_back": 0, "in_part": 1, "no_copy": 2, "not_tested": 3}
WORDS = {
    "given_back": "given back",
    "in_part": "given back in part",
    "no_copy": "no copy found",
    "not_tested": "not tested",
}
HOW = {
    "exact": "the whole image",
    "placed": "the whole image, shifted or scaled",
    "mirrored": "the whole image, mirrored",
    "crop": "a crop of it",
    "template": "the part that it shares with other images of the folder",
    "region": "a region of it",
    "": "",
}


class AuditFailedError(RuntimeError):
    """More of the images were given back than the config allows."""


def public_table(
    images: pd.DataFrame, verdicts: pd.DataFrame, prompts: Mapping[int, str], privacy: Privacy
) -> pd.DataFrame:
    """The verdicts as they are handed on: a row an image, the clearest first.

    Parameters
    ----------
    images, verdicts : tables `audit_images`, `audit_verdicts`. prompts : prompt_id -> caption. privacy : hides digests and
    urls where it hides images.
    """
    table = images.merge(verdicts, on="image", suffixes=("", "_of"))
    table["reason"] = table["reason_of"].where(table["reason_of"].ne(""), table["reason"])
    full = np.array([privacy.level_of(key) == "full" for key in table["prompt_id"]], dtype=bool)
    for column in ("url", "sha256"):
        table[column] = table[column].where(full, "")
    table["prompt"] = [prompts.get(int(key), "") for key in table["prompt_id_of"]]
    table["order"] = table["verdict"].map(ORDER)
    table = table.sort_values(["order", "p", "distance", "image"], kind="stable")
    names = dict(zip(images["image"], images["file"], strict=True))
    first = table["image"].where(table["duplicate_of"].lt(0), table["duplicate_of"])
    table = table.assign(shown_image=first, shown_prompt=table["prompt_id_of"])
    table["duplicate_of"] = [names.get(key, "") for key in table["duplicate_of"]]
    columns = [
        "file", "verdict", "how", "reason", "n_back", "n", "rate_low", "rate_high", "prompt", "seed",
        "distance", "p", "q", "owner", "control", "caption", "duplicate_of", "width", "height",
        "sha256", "url", "image", "prompt_id", "shown_image", "shown_prompt",
    ]  # fmt: skip
    return table[columns].reset_index(drop=True)


def summarize(table: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """Counts of a `public_table`, controls apart: files, tested, each verdict, share given back with interval."""
    out: dict[str, Any] = {}
    for name, some in (("images", table[~table["control"]]), ("controls", table[table["control"]])):
        counts = {verdict: int(some["verdict"].eq(verdict).sum()) for verdict in ORDER}
        tested = len(some) - counts["not_tested"]
        low, high = clopper_pearson(counts["given_back"], tested, confidence)
        share = counts["given_back"] / tested if tested else float("nan")
        out[name] = {
            "files": len(some), "tested": tested, **counts, "share": share, "low": low, "high": high,
        }  # fmt: skip
    return out


def to_json(value: Any) -> Any:
    """A value as JSON has it: no NaN, no types of NumPy."""
    if isinstance(value, Mapping):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(one) for one in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def check_share(told: Mapping[str, Any], fail_above: float) -> str:
    """What a program asks: whether more of the tested images were given back than allowed; controls do not count.

    told : verdicts.json. fail_above : share in [0, 1].

    Raises
    ------
    AuditFailedError
        More were; the message says how many.
    """
    counts = told["summary"]["images"]
    back, tested = counts["given_back"], counts["tested"]
    said = f"{back} of {tested} tested images were given back"
    if tested and back / tested > fail_above:
        raise AuditFailedError(
            f"{said}, more than the share {fail_above:g} that audit.fail_above allows; verdicts.csv and report.html say which"
        )
    return f"{said}; audit.fail_above is {fail_above:g}"


def embed(image: np.ndarray | None) -> str:
    """An image (h, w, 3) in [0, 1] as the source of an <img>, small enough for a page; "" for none."""
    if image is None:
        return ""
    height, width = image.shape[:2]
    scale = min(1.0, SHOWN_SIDE / max(height, width))
    shown = resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
    plain = max(shown.shape[:2]) <= PLAIN_SIDE
    data = encode_png(shown) if plain else encode_jpeg(shown, QUALITY)
    kind = "png" if plain else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def percent(share: float) -> str:
    """A share in percent with two significant digits."""
    return (
        f"{100 * share:.2g} %" if np.isfinite(share) and share < 0.995 else f"{100 * share:.3g} %"
    )


def small(value: float) -> str:
    """A p- or q-value with two significant digits."""
    return f"{value:.2g}" if np.isfinite(value) else "not known"


def sentence(row: Mapping[Any, Any], confidence: float) -> str:
    """What the verdict of one image says, in words."""
    sure = f"{100 * confidence:g} %"
    if row["verdict"] == "not_tested":
        return f"Not tested: {row['reason']}."
    n, back = int(row["n"]), int(row["n_back"])
    if row["verdict"] == "no_copy":
        return (
            f"None of {n} generations of its caption is a copy. With {sure} confidence fewer than "
            f"{percent(row['rate_high'])} of such generations are. The nearest differs by {row['distance']:.3f}."
        )
    between = f"{percent(row['rate_low'])} to {percent(row['rate_high'])}"
    start = (
        "The model gave this image back"
        if row["verdict"] == "given_back"
        else "The model gave part of this image back"
    )
    return (
        f"{start}: {HOW[row['how']]}, in {back} of {n} generations of its caption ({sure} interval of the rate: {between}). The "
        f"nearest, of seed {int(row['seed'])}, differs by {row['distance']:.3f} where they were compared."
    )


def cards(
    table: pd.DataFrame,
    shown: int,
    confidence: float,
    panels: Callable[[Mapping[Any, Any]], dict[str, str]],
    words: Mapping[int, list[tuple[str, float]]],
) -> list[dict[str, Any]]:
    """What the page shows of each of the first `shown` tested images.

    panels : a row -> the sources of its images by name, as `embed` makes them. words : prompt_id -> how much each word of the
    prompt triggers what was given back, from `metrics.word_weights`.
    """
    tested = table[table["verdict"].ne("not_tested")].head(shown)
    return [
        {
            **{str(name): value for name, value in row.items()}, "words": WORDS[row["verdict"]], "sentence": sentence(row, confidence),
            "p": small(row["p"]), "q": small(row["q"]), "panels": panels(row),
            "trigger": [] if row["verdict"] == "no_copy" else words.get(int(row["shown_prompt"]), []),
        }
        for row in tested.to_dict("records")
    ]  # fmt: skip


def render_page(template: str, **values: Any) -> str:
    """The page of a jinja2 template, `io.pages.render_template`, with the words of the verdicts."""
    filters = {"percent": percent, "small": small}
    return render_template(template, filters, **values, WORDS=WORDS, HOW=HOW)


def rates(summary: Mapping[str, Any]) -> list[str]:
    """The summary in sentences: images, then controls."""
    lines = []
    for name, what in (
        ("images", "images"),
        ("controls", "control images, which the model cannot have seen,"),
    ):
        one = summary[name]
        if one["tested"]:
            lines.append(
                f"{one['given_back']} of {one['tested']} tested {what} were given back "
                f"({percent(one['share'])}; interval {percent(one['low'])} to {percent(one['high'])}), "
                f"{one['in_part']} in part."
            )
    if not summary["controls"]["tested"]:
        lines.append(
            "No controls were named, so this audit does not show how often it calls an image given back that the model "
            "never saw."
        )
    return lines
