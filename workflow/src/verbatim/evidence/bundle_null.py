"""What p- and q-values of a bundle are counted in: null.jsonl, written with a bundle and read when it is replayed.

Its first line has the p-value of every prompt that was tested, rising. Each further line has the residuals of one training
image's unrelated generations, rising, null for one that says nothing. No line names an image or a prompt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verbatim.evidence.bundle_manifest import canonical, read_canonical
from verbatim.evidence.finding import Outcome
from verbatim.evidence.null import (
    adjust_for_prompts,
    empirical_p,
    has_null,
    relative_null,
    relative_residuals,
)
from verbatim.evidence.rules import Rules
from verbatim.evidence.statements import Finding, Residuals

NULL = "null.jsonl"
SAME = 1e-9  # relative difference up to which two builds of NumPy give one number


@dataclass(frozen=True)
class Null:
    """values : (n,) statistics of the null's pairs, rising, inf for one that says nothing. p : (m,) p-values of every prompt
    that was tested, rising. images : residuals of the unrelated generations of each training image.
    """

    values: np.ndarray
    p: np.ndarray
    images: frozenset[Residuals]


def null_residuals(residuals: Iterable[float]) -> Residuals:
    """Residuals of one training image's unrelated generations, rising; None for one that is not finite, at the end."""
    ordered = sorted(math.inf if math.isnan(one) else float(one) for one in residuals)
    return tuple(one if math.isfinite(one) else None for one in ordered)


def null_file(p: Iterable[float], images: Iterable[Residuals]) -> bytes:
    """Bytes of null.jsonl. p : p-values, those that are NaN are left out. images : `null_residuals` of each."""
    tested = sorted(float(one) for one in p if math.isfinite(one))
    lines = [{"p": tested}, *sorted((list(image) for image in images), key=_order)]
    return "".join(canonical(line) + "\n" for line in lines).encode()


def _order(image: Sequence[float | None]) -> list[float]:
    return [math.inf if one is None else one for one in image]


def read_null(data: bytes, rules: Rules) -> Null:
    """The null of a bundle.

    Raises
    ------
    ValueError, KeyError, TypeError
        It is not what `null_file` writes; the message names the line.
    """
    if not data.endswith(b"\n"):
        raise ValueError("its last line is cut off")
    first, *rest = (read_canonical(line) for line in data[:-1].split(b"\n"))
    if not isinstance(first, dict) or set(first) != {"p"}:
        raise ValueError("line 1: it has to be the p-values")
    p = _rising(1, first["p"], 1.0)
    if len(p) and p[0] <= 0:
        raise ValueError("line 1: a p-value is 0")
    residuals = [_rising(number, line, math.inf) for number, line in enumerate(rest, 2)]
    relative = [
        relative_null(image, rules.quantile)
        for image in residuals
        if has_null(len(image), rules.least)
    ]
    values = np.sort(np.concatenate(relative)) if relative else np.zeros(0)
    return Null(values, p, frozenset(tuple(line) for line in rest))


def _rising(number: int, line: Any, most: float) -> np.ndarray:
    """A line's numbers from 0 to `most`, rising, (n,); inf for null. Raises ValueError."""
    if not isinstance(line, list) or not all(
        one is None or type(one) in (int, float) for one in line
    ):
        raise ValueError(f"line {number}: not a list of numbers")
    values = np.array(_order(line), dtype=float)
    finite = values[np.isfinite(values)]
    if (values[1:] < values[:-1]).any() or (finite < 0).any() or (finite > most).any():
        raise ValueError(f"line {number}: its numbers do not rise from 0 to {most:g}")
    return values


def replay_null(finding: Finding, null: Null, rules: Rules) -> Iterator[Outcome]:
    """Statistic, p-value and q-value of a finding from its residual, its training image's null and that of the run.

    Phipson and Smyth 2010 for p; Benjamini and Hochberg 1995 for q. The residuals of the null are taken as they are given.
    """
    found, key = finding.found, finding.prompt_id
    expected: dict[str, Any] = {"relative": None, "p_pair": None, "q": None, "n_null": 0}
    if found["status"] == "missing" and finding.null:
        yield Outcome(key, "null", fault="nothing was compared, and it has a null")
    elif finding.null and finding.null not in null.images:
        yield Outcome(key, "null", fault=f"its null is of no training image of {NULL}")
    own = np.array(_order(finding.null), dtype=float)
    enough = has_null(len(own), rules.least)
    if found["status"] == "ok":
        residual = math.inf if found["residual"] is None else found["residual"]
        relative = math.inf
        if enough:
            relative = float(relative_residuals(own, rules.quantile, np.array([residual]))[0])
        expected |= {
            "relative": relative if math.isfinite(relative) else None,
            "p_pair": float(empirical_p(np.array([relative]), null.values)[0]),
            "n_null": len(null.values),
        }
        if found["p"] is None or found["p"] not in null.p:
            yield Outcome(key, "p", fault=f"p is {found['p']!r}, none of the p-values of {NULL}")
        else:
            at = int(np.searchsorted(null.p, found["p"]))
            expected["q"] = float(adjust_for_prompts(null.p)[at])
    elif found["status"] == "no null":
        if enough and len(null.values):
            yield Outcome(key, "null", fault="its status is 'no null', and it has one")
        expected |= {name: found[name] for name in ("relative", "p_pair")}
        if found["p_pair"] not in (None, 1, 1.0):
            expected["p_pair"] = None
    for what, replayed in expected.items():
        stored = found[what]
        told = f"{what} is {stored!r}, its residual and the null give {replayed!r}"
        yield Outcome(key, f"{what} {stored}", fault="" if _same(stored, replayed) else told)


def _same(stored: float | None, replayed: float | None) -> bool:
    if stored is None or replayed is None:
        return stored is replayed
    return math.isclose(stored, replayed, rel_tol=SAME)
