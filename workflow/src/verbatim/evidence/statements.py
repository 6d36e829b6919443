"""Check whether the words of a finding follow from its numbers, before any image is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verbatim.evidence.finding import (
    LEVELS,
    Outcome,
    comparisons_of,
    file_names,
    label_of,
    pair_of_label,
    rows_of,
)
from verbatim.evidence.rules import MOST_SIDE, Rules
from verbatim.io.keys import prompt_id

Residuals = tuple[float | None, ...]  # rising; None for one that says nothing
KEYS = {
    "prompt_id", "prompt", "images", "label", "verification", "comparisons", "sources", "original_sha256",
    "null",
}  # fmt: skip
# type of every column of a finding's rows of `labels` and `verification` (`records.SCHEMAS`)
LABEL: dict[str, type] = {
    "prompt_id": int, "caption": str, "row": int, "extra": bool, "why": str, "label": str, "seed": int, "source_row": int,
    "distance": float, "distance_mv": float, "distance_rv": float, "distance_tv": float, "seed_mv": int, "row_mv": int, "crop_mv": str,
    "seed_rv": int, "row_rv": int, "crop_rv": str, "seed_tv": int, "row_tv": int, "crop_tv": str, "partner_tv": int,
    "partner_crop_tv": str, "mask_file": str, "mask_area": float, "crop": str, "review": bool, "review_reason": str, "status": str,
    "preset": str,
}  # fmt: skip
FOUND: dict[str, type] = {
    "prompt_id": int, "extra": bool, "label": str, "seed": int, "source_row": int, "image": int, "crop": str, "flip": bool, "side": float, "top": float,
    "left": float, "area": float, "residual": float, "relative": float, "p_pair": float, "n_pairs": int, "p": float, "q": float, "n_null": int,
    "verified": bool, "doubt": str, "status": str,
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A finding.json, its form checked.

    level : full, blurred or none. label, found : its rows of `labels` and `verification`. stated : the comparisons that it
    lists; pairs : those that follow from its rows. sources : training row -> caption and url. originals : name of an
    image -> SHA-256 of it in the run's archives. files : path in the bundle -> name, of its images. null : residuals of unrelated generations with
    the training image that the verifier found.
    """

    folder: str
    prompt_id: int
    prompt: str
    level: str
    label: Mapping[str, Any]
    found: Mapping[str, Any]
    stated: list[Any]
    pairs: list[dict[str, Any]]
    sources: Mapping[str, Mapping[str, str]]
    originals: Mapping[str, str]
    files: Mapping[str, str]
    null: Residuals


def read_finding(path: str, data: Any, rules: Rules) -> Finding:
    """A finding.json by its path in the bundle.

    Raises
    ------
    ValueError, KeyError, TypeError
        It has not the form that `build_bundle` writes; the message says where.
    """
    if not isinstance(data, dict) or set(data) != KEYS:
        raise ValueError("not a finding: its keys are others than a finding's")
    label, found = data["label"], data["verification"]
    _check_types("label", label, LABEL)
    _check_types("verification", found, FOUND)
    if data["images"] not in LEVELS:
        raise ValueError(f"images is {data['images']!r}, not one of {', '.join(LEVELS)}")
    pairs = comparisons_of(label, found, rules.search.size, rules.search.refine)
    for pair in pairs:
        _check_placement(pair, rules.search.size)
    names = file_names(pairs, data["images"], label["source_row"] >= 0)
    originals, sources = data["original_sha256"], data["sources"]
    expected = names if data["images"] == "full" else []
    if sorted(originals) != expected:
        raise ValueError(
            f"original_sha256 names {len(originals)} images; a finding whose images are {data['images']} has {len(expected)}"
        )
    if sorted(sources) != sorted(map(str, rows_of(pairs))):
        raise ValueError("sources are not the training rows that were compared")
    for row, source in sources.items():
        _check_types(f"sources.{row}", source, {"caption": str, "url": str})
    null = data["null"]
    if not isinstance(null, list) or not all(one is None or type(one) is float for one in null):
        raise ValueError("null is no list of numbers")
    folder = path.rpartition("/")[0]
    return Finding(
        folder, data["prompt_id"], data["prompt"], data["images"], label, found, data["comparisons"], pairs, sources,
        originals, {f"{folder}/{name}": name for name in names}, tuple(null),
    )  # fmt: skip


def _check_types(where: str, row: Any, columns: Mapping[str, type]) -> None:
    """Raises ValueError unless `row` has exactly these columns, each of its type, and numbers a table can hold."""
    if not isinstance(row, dict) or set(row) != set(columns):
        raise ValueError(f"{where}: its columns are others than a finding's")
    for name, kind in columns.items():
        value = row[name]
        good = type(value) is kind or (kind is float and (value is None or type(value) is int))
        if good and kind in (int, float) and value is not None:
            good = abs(value) < 2**63 and math.isfinite(value)
        if not good:
            raise ValueError(f"{where}.{name} is {value!r}, no {kind.__name__}")


def _check_placement(pair: Mapping[str, Any], size: int) -> None:
    """Raises ValueError for a placement that no search has tried: it would take any amount of memory."""
    if pair["kind"] != "verifier":
        return
    side, top, left = pair["side"], pair["top"], pair["left"]
    if not (1 < side <= 4 * MOST_SIDE and all(-side <= corner <= size for corner in (top, left))):
        raise ValueError(f"the verifier's placement {side}, {top}, {left} is out of bounds")


def replay_statements(finding: Finding, rules: Rules) -> Iterator[Outcome]:
    """Key from prompt, label from distances, thresholds and order, and everything else that is said twice."""
    label, found = finding.label, finding.found
    ids = [
        finding.prompt_id,
        label["prompt_id"],
        found["prompt_id"],
        finding.folder.rpartition("/")[2],
    ]
    own = prompt_id(finding.prompt)
    statements = {
        "prompt_id": (ids, [own, own, own, str(own)]),
        "caption": (label["caption"], finding.prompt),
        "comparisons": (finding.stated, finding.pairs),
        "preset": (label["preset"], rules.preset),
        "verification's label": ([found["label"], found["extra"]], [label["label"], label["extra"]]),
        "mask_file": (label["mask_file"], f"{own}.png" if label["distance_tv"] is not None else ""),
        "verified": (found["verified"], _is_verified(found, rules)),
        "p": (found["p"], _p_value(found)),
    }  # fmt: skip
    for what, (stored, replayed) in statements.items():
        same = stored == replayed
        yield Outcome(
            own, what, fault="" if same else f"{what} is {stored!r}, its finding gives {replayed!r}"
        )
    yield from _replay_label(finding, rules)
    yield from _replay_owners(finding)
    if finding.level != "full" and any(source["url"] for source in finding.sources.values()):
        yield Outcome(
            own,
            "urls",
            fault=f"its images are {finding.level}, and urls of training images are in it",
        )


def _replay_label(finding: Finding, rules: Rules) -> Iterator[Outcome]:
    """Label and its pair from the stored distances."""
    label, key = finding.label, finding.prompt_id
    expected, kind = label_of(label, rules.order, rules.thresholds)
    stored = label["label"]
    unread = (
        stored == "missing"
        and expected == "N"
        and label["distance_mv"] is None
        and label["row"] >= 0
    )
    if unread:
        yield Outcome(
            key,
            "label missing",
            why="that the prompt's own image could not be read rests on the run",
        )
    elif stored == "missing" and not kind:
        yield Outcome(key, "label missing", why="nothing was compared")
    else:
        fault = (
            ""
            if stored == expected
            else f"label is {stored!r}, its distances and thresholds give {expected!r}"
        )
        yield Outcome(key, f"label {stored}", fault=fault)
    if (label["status"] == "missing") != (stored == "missing"):
        yield Outcome(key, "status", fault=f"status is {label['status']!r} of label {stored!r}")
    if kind:
        pair = pair_of_label(label, kind)
        own = {name: label[name] for name in pair}
        tie = label["distance_mv"] == label["distance_rv"] and own == pair_of_label(label, "RV")
        fault = (
            "" if own == pair or tie else f"its label is of {own!r}, its distances give {pair!r}"
        )
        yield Outcome(key, "pair of the label", fault=fault)
    if expected == "N" and label["review"] and not label["review_reason"]:
        yield Outcome(key, "review", fault="set aside for review without a reason")


def _replay_owners(finding: Finding) -> Iterator[Outcome]:
    """MV is of an image of the prompt's own, its row's or its caption's, and RV of another."""
    for pair in finding.pairs:
        if pair["kind"] not in ("MV", "RV"):
            continue
        row = pair["row"]
        caption = finding.sources[str(row)]["caption"]
        own = row == finding.label["row"] or caption == finding.prompt
        wrong = own != (pair["kind"] == "MV")
        what = f"training row {row} is{'' if own else ' not'} the prompt's own"
        yield Outcome(finding.prompt_id, what, fault=f"{pair['kind']}: {what}" if wrong else "")


def _is_verified(found: Mapping[str, Any], rules: Rules) -> bool:
    return found["q"] is not None and found["q"] <= rules.alpha and not found["doubt"]


def _p_value(found: Mapping[str, Any]) -> float | None:
    """The prompt's p-value from its best pair's, as `null.adjust_for_tries` gives it."""
    if found["status"] != "ok":
        return None
    return min(1.0, found["p_pair"] * found["n_pairs"])
