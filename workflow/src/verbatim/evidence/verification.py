"""Find copies that the labels may miss: a p-value for each prompt, beside MV, RV and TV.

Webster 2023, Fig. 5. The statistic of a pair is its trimmed residual at the best placement, over a low
quantile of the residuals of unrelated generations with the same training image. The null is the same
statistic of unrelated pairs of the same model and data set, those that look most similar as thumbnails. A prompt's p-value is the
least of its pairs times the number of pairs; q-values are over the prompts of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.evidence.matching import Found, Generations, Search
from verbatim.evidence.null import (
    adjust_for_tries,
    empirical_p,
    has_null,
    relative_null,
    relative_residuals,
)
from verbatim.evidence.pairing import THUMBNAIL, Pairing, choose_null, thumbnails
from verbatim.io.images import Seeds, seeds_of
from verbatim.metrics.fdr import benjamini_hochberg

NAN = float("nan")


@dataclass(frozen=True)
class NullSettings:
    """neighbours : nearest training images of a generation that are tested. generations : unrelated ones an image, those that look most like it. quantile : of their
    residuals, the measure of an image. least : an image with fewer is not tested. alpha : q-value up
    to which a copy is verified."""

    neighbours: int
    generations: int
    quantile: float
    least: int
    alpha: float


def compare_pairs(
    search: Search,
    squares: Callable[[int], list[np.ndarray]],
    generations: Generations,
    pairing: Pairing,
    settings: NullSettings,
    watch: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Every tested pair with its statistic and p-value, the null's statistics, and its residuals: a `null` table.

    Parameters
    ----------
    squares : an image's squares by its index. generations : prompt * seeds + seed, blank where there is none.
    watch : wraps the loop, for progress.
    """
    readable = pairing.readable
    seeds = readable.shape[1]
    fine = generations.fine.transpose(0, 2, 3, 1)
    afar = thumbnails(fine).reshape(*readable.shape, 3 * THUMBNAIL**2)
    there = readable.ravel()
    pairs: list[pd.DataFrame] = []
    null: list[np.ndarray] = []
    residuals: list[pd.DataFrame] = []
    for image in watch(np.flatnonzero(pairing.tested.any(axis=(0, 1))).tolist()):
        tested = np.flatnonzero(pairing.tested[:, :, image])
        tested = tested[there[tested]]
        if not len(tested):
            continue
        like = thumbnails(np.stack(squares(image)[:1]))[0]
        related = pairing.related[:, image]
        unrelated = choose_null(related, afar, readable, like, settings.generations)
        both = np.concatenate([tested, unrelated])
        found = search.compare(squares(image), generations.take(both))
        of_null = found.residual[len(tested) :]
        relative = np.full(len(tested), np.inf)
        residuals.append(pd.DataFrame({"image": image, "residual": of_null}))
        if has_null(len(unrelated), settings.least):
            relative = relative_residuals(of_null, settings.quantile, found.residual[: len(tested)])
            null.append(relative_null(of_null, settings.quantile))
        columns = Found(*(values[: len(tested)] for values in found))._asdict()
        pairs.append(
            pd.DataFrame(
                {"prompt": tested // seeds, "seed": tested % seeds, "image": image}
                | {"relative": relative, "n_null": len(unrelated)}
                | columns
            )
        )
    names = ["prompt", "seed", "image", "relative", "n_null", *Found._fields]
    table = pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame(columns=names)
    values = np.concatenate(null) if null else np.zeros(0)
    table["p_pair"] = empirical_p(table["relative"].to_numpy(float), values)
    empty = pd.DataFrame({"image": np.zeros(0, int), "residual": np.zeros(0)})
    return table, values, pd.concat([empty, *residuals], ignore_index=True)


def best_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pair of least statistic of each prompt, indexed by prompt, with `n_pairs` and `p`."""
    ordered = pairs.sort_values(["prompt", "relative", "residual", "seed", "image"])
    best = ordered.groupby("prompt", sort=True).head(1).set_index("prompt")
    best["n_pairs"] = pairs.groupby("prompt").size()
    best["p"] = adjust_for_tries(best["p_pair"].to_numpy(), best["n_pairs"].to_numpy())
    return best


@dataclass(frozen=True)
class PairNames:
    """How a pair is named in a table.

    seeds : of every prompt, or prompt_id -> its own. row : (prompts, images) int64, the training row that an image
    stands for. crops : name of an image's square by image and base. size : side of the squares, pixels.
    """

    seeds: Seeds
    row: np.ndarray
    crops: Callable[[int, int], str]
    size: int


def describe_pairs(
    labels: pd.DataFrame, best: pd.DataFrame, names: PairNames, n_null: int
) -> pd.DataFrame:
    """The pair of each prompt of `labels`, in its order, with its p- and q-value: a `verification` table but for the verdict.

    best : from `best_pairs`. n_null : statistics of the null; without any there is no p-value.
    """
    records: list[dict[str, Any]] = []
    found: dict[Any, dict[str, Any]] = best.to_dict("index")  # type: ignore[assignment]  # str columns
    for i, label in enumerate(labels.to_dict("records")):
        record = {"prompt_id": label["prompt_id"], "extra": label["extra"], "label": label["label"]}
        record |= _nothing("missing")
        if i in found:
            one = found[i]
            image = int(one["image"])
            record |= {name: one[name] for name in ("area", "p_pair", "n_pairs")}
            record |= {name: one[name] / names.size for name in ("side", "top", "left")}
            record |= {
                name: one[name] if np.isfinite(one[name]) else NAN
                for name in ("residual", "relative")
            }
            record |= {
                "seed": seeds_of(names.seeds, label["prompt_id"])[int(one["seed"])],
                "source_row": int(names.row[i, image]),
                "image": image,
                "crop": names.crops(image, int(one["base"])),
                "flip": bool(one["flip"]),
                "p": one["p"] if n_null else NAN,
                "n_null": n_null,
                "status": "ok" if n_null else "no null",
            }
        records.append(record)
    table = pd.DataFrame(records, columns=["prompt_id", "extra", "label", *_nothing("")])
    return table.assign(q=benjamini_hochberg(table["p"].to_numpy(float)))


def verify_pairs(
    described: pd.DataFrame,
    best: pd.DataFrame,
    reasons: Callable[[int, dict[str, Any]], list[str]],
    alpha: float,
) -> pd.DataFrame:
    """The `verification` table: the pairs of `describe_pairs`, each verified if it is significant and there is no doubt.

    Parameters
    ----------
    best : from `best_pairs`. reasons : doubts of a prompt and its row of `best`, asked for where the q-value is at most
    alpha.
    """
    found: dict[Any, dict[str, Any]] = best.to_dict("index")  # type: ignore[assignment]  # str columns
    significant = described["q"].to_numpy(float) <= alpha
    told = [
        "; ".join(reasons(i, found[i])) if hit else "" for i, hit in enumerate(significant.tolist())
    ]
    certain = significant & np.array([not reason for reason in told], dtype=bool)
    return described.assign(doubt=told, verified=certain)


def _nothing(status: str) -> dict[str, Any]:
    return {
        "seed": -1, "source_row": -1, "image": -1, "crop": "", "flip": False, "side": NAN, "top": NAN, "left": NAN,
        "area": NAN, "residual": NAN, "relative": NAN, "p_pair": NAN, "n_pairs": 0, "p": NAN,
        "n_null": 0, "status": status,
    }  # fmt: skip
