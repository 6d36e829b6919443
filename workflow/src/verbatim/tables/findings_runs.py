"""Findings of this world beside those of the same world trained anew and of worlds of other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

ABSENT = "not measured"


def compare_findings(
    this: pd.DataFrame, anew: pd.DataFrame, seeds: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """A row a finding and model of `this`: its goal, and a text of value, interval and whether it holds for each run.

    Parameters
    ----------
    this, anew, seeds : tables `findings.csv`. A finding that a run lacks is "not measured".

    Returns
    -------
    finding, model, goal, this_run, trained_anew, other_seeds (joined by " / ", in the order of `seeds`).
    """
    known = [_texts(table) for table in (this, anew, *seeds)]
    rows = [
        {
            "finding": finding, "model": model, "goal": goal, "this_run": known[0][finding, model],
            "trained_anew": known[1].get((finding, model), ABSENT),
            "other_seeds": " / ".join(one.get((finding, model), ABSENT) for one in known[2:]),
        }
        for finding, model, goal in zip(_names(this), this["model"], this["goal"], strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _names(table: pd.DataFrame) -> list[str]:
    """Findings without the names of the baselines that failed, which differ from run to run."""
    return [str(name).partition(":")[0] for name in table["finding"]]


def _texts(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(finding, model) -> value, interval, and "no" where the goal is missed."""
    lines = table.to_dict("records")
    return {
        (name, str(line["model"])): f"{line['value']:.3g}{_interval(line)}{_verdict(line)}"
        for name, line in zip(_names(table), lines, strict=True)
        if pd.notna(line["value"])
    }


def _interval(line: dict[Any, Any]) -> str:
    return "" if pd.isna(line["low"]) else f" [{line['low']:.3g}, {line['high']:.3g}]"


def _verdict(line: dict[Any, Any]) -> str:
    return " (no)" if line["holds"] == "no" else ""
