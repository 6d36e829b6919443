"""Do labels agree with a look: a sheet of pairs in random order, and how verdicts on them compare with labels.

Webster 2023 confirmed labels by eye. The sheet mixes labelled copies and prompts without a copy, so that who looks
does not know which is which.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from verbatim.io.images import to_uint8
from verbatim.io.user_tables import UserTableError, read_user_table
from verbatim.metrics.intervals import wilson

COPIES = ("MV", "RV", "TV")
VERDICTS = ("copy", "template", "no")
GAP, HEAD = 6, 12  # pixels between two pairs, and above each for its number


def sample_pairs(labels: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Pairs of a generation and a training image to look at, in random order.

    Parameters
    ----------
    labels : a `labels` table of one model. n : at most so many labelled copies, and so many prompts labelled N.
    seed : of the choice and of the order.

    Returns
    -------
    number (from 1), prompt_id, seed, row: of a copy the pair that its label is of; of a prompt labelled N the pair of
    least distance. Prompts without a pair take no part.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for group in (labels[labels["label"].isin(COPIES)], labels[labels["label"] == "N"]):
        pairs = _pairs_of(group)
        take = rng.permutation(len(pairs))[:n]
        chosen.append(pairs.iloc[np.sort(take)])
    mixed = pd.concat(chosen, ignore_index=True)
    mixed = mixed.iloc[rng.permutation(len(mixed))].reset_index(drop=True)
    mixed.insert(0, "number", np.arange(1, len(mixed) + 1))
    return mixed


def _pairs_of(labels: pd.DataFrame) -> pd.DataFrame:
    kinds = [kind.lower() for kind in COPIES]
    distances = labels[[f"distance_{kind}" for kind in kinds]].to_numpy(float)
    own = labels["label"].map({kind: i for i, kind in enumerate(COPIES)})
    least = np.where(np.isfinite(distances), distances, np.inf).argmin(axis=1)
    at = own.fillna(pd.Series(least, index=labels.index)).to_numpy(int)
    rows = np.arange(len(labels))
    pairs = pd.DataFrame(
        {
            "prompt_id": labels["prompt_id"].to_numpy(),
            "seed": labels[[f"seed_{kind}" for kind in kinds]].to_numpy()[rows, at],
            "row": labels[[f"row_{kind}" for kind in kinds]].to_numpy()[rows, at],
        }
    )
    return pairs[pairs["row"] >= 0].reset_index(drop=True)


def draw_sheet(
    pairs: Sequence[tuple[np.ndarray | None, np.ndarray | None]], size: int, columns: int
) -> np.ndarray:
    """Pairs side by side under their numbers, generation left, training image right.

    Parameters
    ----------
    pairs : images (h, w, 3) in [0, 1], or None where one may not be shown. size : pixels of the square each is
    fitted into. columns : pairs in a row.

    Returns
    -------
    uint8 (height, width, 3).
    """
    wide, high = 2 * size + GAP, size + HEAD + GAP
    n_rows = -(-len(pairs) // columns)
    sheet = Image.new("RGB", (columns * wide + GAP, max(1, n_rows) * high + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for i, pair in enumerate(pairs):
        left, top = GAP + i % columns * wide, GAP + i // columns * high
        draw.text((left, top), str(i + 1), fill="black")
        for j, image in enumerate(pair):
            if image is not None:
                square = Image.fromarray(to_uint8(image))
                square.thumbnail((size, size))
                sheet.paste(square, (left + j * size, top + HEAD))
    return np.asarray(sheet)


class VerdictError(ValueError):
    """A file of verdicts cannot be read as such; the message names file, line, value and cure."""


def read_verdicts(path: str | Path, models: Collection[str]) -> pd.DataFrame:
    """Verdicts of a look: the sheet's own csv with its column `verdict` filled in; rows without a verdict are left out.

    Parameters
    ----------
    path : csv with the columns model, prompt_id, verdict (copy, template or no). Other columns are not read.
    models : keys of the models sheet.

    Returns
    -------
    model, prompt_id (int64), verdict.

    Raises
    ------
    VerdictError
        Naming every line with an unknown model or verdict or without a prompt_id, and two verdicts on one prompt.
    """
    try:
        read = read_user_table(path).without_empty_rows()
    except UserTableError as err:
        raise VerdictError(f"{err}. It is evidence.verdicts in the config") from err
    lacking = [name for name in ("model", "prompt_id", "verdict") if name not in read.names]
    if lacking:
        raise VerdictError(f"{path}, line 1: no column {lacking[0]!r}; it has {list(read.names)}")
    cells = read.frame.fillna("").astype(str)
    problems, kept, seen = [], [], set()
    for i, (model, number, verdict) in enumerate(
        zip(*(cells[name].str.strip() for name in ("model", "prompt_id", "verdict")), strict=True)
    ):
        if not verdict:
            continue
        if verdict not in VERDICTS:
            problems.append(f"{read.where(i)}: verdict {verdict!r}; known: {', '.join(VERDICTS)}")
        elif model not in models:
            problems.append(f"{read.where(i)}: no model {model!r}; known: {', '.join(models)}")
        elif not number.isdecimal():
            problems.append(f"{read.where(i)}: prompt_id {number!r} is no whole number")
        elif (model, number) in seen:
            problems.append(f"{read.where(i)}: a second verdict on prompt {number} of {model}")
        else:
            seen.add((model, number))
            kept.append((model, int(number), verdict))
    if problems:
        raise VerdictError("\n".join(problems))
    return pd.DataFrame(kept, columns=["model", "prompt_id", "verdict"]).astype(
        {"prompt_id": "int64"}
    )


def compare_verdicts(
    labels: dict[str, pd.DataFrame], verdicts: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """How many labels a look confirms, with Wilson intervals.

    Parameters
    ----------
    labels : `labels` table of each model. verdicts : model, prompt_id, verdict (copy, template or no).
    confidence : of the intervals, 0 to 1.

    Returns
    -------
    One row for each model and label: `n` verdicts, `confirmed` (a copy or template of MV, RV and TV; no of N), `share` with
    `low` and `high`.
    """
    rows = []
    for model, table in labels.items():
        both = table.merge(verdicts[verdicts["model"] == model], on="prompt_id")
        both["copy"] = both["verdict"].isin(VERDICTS[:2])
        for label in (*COPIES, "N"):
            of_label = both[both["label"] == label]
            n = len(of_label)
            confirmed = int((of_label["copy"] == (label != "N")).sum())
            low, high = wilson(confirmed, n, confidence) if n else (np.nan, np.nan)
            share = confirmed / n if n else np.nan
            rows.append((model, label, n, confirmed, share, low, high))
    columns = ["model", "label", "n", "confirmed", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
