"""The review page: one static file of all candidates, opened from a disk, without a server or a network.

Captions are other people's text. The page holds them as JSON in which `<` is escaped, so that they cannot end
the element, and the page's policy allows only the script whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from verbatim.io.pages import render_template

NUMBERS = ("distance", "distance_mv", "distance_rv", "distance_tv", "mask_area")
FOUND = ("residual", "relative", "q")


def _number(value: Any) -> float | None:
    """Six significant digits, None for what JSON cannot say."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Shown:
    """What the page shows of a model's candidates beside its tables.

    urls : prompt_id -> address of its source, "" where it may not be told. scores : `dcs`, `ecs` -> prompt_id ->
    score, of attacked models. images : prompt_id -> path from the page, and how many rows of panels it has.
    words : prompt_id -> from `metrics.word_weights`, of copies whose words were weighed.
    """

    urls: Mapping[int, str]
    scores: Mapping[str, Mapping[int, float]]
    images: Mapping[int, tuple[str, int]]
    words: Mapping[int, list[tuple[str, float]]]


def candidate_records(
    model: str,
    name: str,
    labels: pd.DataFrame,
    verification: pd.DataFrame,
    shown: Shown,
) -> list[dict[str, Any]]:
    """What the page knows of each candidate of a model, in the order of `labels`.

    Parameters
    ----------
    verification : a `verification` table of the same prompts. shown : what the tables do not have.
    """
    of_prompt = verification.set_index("prompt_id").to_dict("index")
    records = []
    for label in labels.to_dict("records"):
        prompt_id = int(label["prompt_id"])
        found: dict[Any, Any] = of_prompt[prompt_id]
        image, lines = shown.images.get(prompt_id, ("", 0))
        records.append(
            {
                "model": model, "name": name, "prompt_id": str(prompt_id), "caption": label["caption"],
                "label": label["label"], "extra": bool(label["extra"]), "why": label["why"],
                "seed": int(label["seed"]), "source_row": int(label["source_row"]),
                "url": shown.urls.get(prompt_id, ""), "review": bool(label["review"]),
                "review_reason": label["review_reason"], "image": image, "lines": lines,
                "verified": bool(found["verified"]), "doubt": found["doubt"],
                "found_seed": int(found["seed"]), "found_row": int(found["source_row"]),
                "words": shown.words.get(prompt_id, []),
            }
            | {key: _number(label[key]) for key in NUMBERS}
            | {key: _number(found[key]) for key in FOUND}
            | {key: _number(of.get(prompt_id)) for key, of in shown.scores.items()}
        )  # fmt: skip
    return records


def script_json(data: Any) -> str:
    """JSON that may stand inside a script element: no `<`, no line separators of JavaScript."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no text


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class PageParts(NamedTuple):
    """Text of the page's jinja2 template, of its CSS and of its JavaScript."""

    html: str
    style: str
    script: str


def review_page(
    parts: PageParts,
    candidates: Sequence[dict[str, Any]],
    models: Mapping[str, str],
    decisions: pd.DataFrame,
    size: int,
) -> str:
    """The page's HTML.

    Parameters
    ----------
    candidates : from `candidate_records`. models : key -> name. decisions : from `read_decisions`.
    size : side of a panel, pixels.
    """
    known = {(one["model"], one["prompt_id"]) for one in candidates}
    columns = ["model", "prompt_id", "decision", "note", "reviewer", "date"]
    rows = decisions.astype({"prompt_id": str})[columns].to_dict("records")
    data = {
        "models": [{"model": model, "name": name} for model, name in models.items()],
        "labels": sorted({one["label"] for one in candidates}),
        "candidates": list(candidates),
        "decisions": [row for row in rows if (row["model"], row["prompt_id"]) in known],
        "size": size,
    }
    # a browser keeps the decisions of one run apart from another's
    data["run"] = hashlib.sha256(script_json(data["candidates"]).encode()).hexdigest()[:16]
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src {_source(parts.style)}; "
        f"script-src {_source(parts.script)}; base-uri 'none'; form-action 'none'"
    )
    values = {
        "policy": policy,
        "style": parts.style,
        "data": script_json(data),
        "script": parts.script,
    }
    marked: dict[str, Any] = {name: Markup(text) for name, text in values.items()}
    return render_template(parts.html, **marked)
