"""Numbers of several worlds, each planted and trained from its own seed, side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from verbatim.metrics.intervals import t_interval


@dataclass(frozen=True)
class Lines:
    """How a table is compared: columns that name a line, quantities, what its numbers are counted
    over, its preset.

    counts : quantities that are 0 in a run without their line: a line is written only where there
    is one to count. more : a pattern of further quantities, whose names depend on the config.
    """

    keys: list[str]
    quantities: list[str]
    n: str
    presets: list[str]
    counts: tuple[str, ...] = ()
    more: re.Pattern[str] | None = None


STRICT = re.compile(r"(tpr|fpr)_[\d.e-]+")
STRICT_OR_PRECISION = re.compile(rf"{STRICT.pattern}|precision_\d+")

LINES: dict[str, Lines] = {
    "table1": Lines(
        ["Model"], ["Retrieved", "Template", "Exact", "Unique sources", "Review", "Judged"],
        "Judged", ["Preset"],
    ),
    "recall": Lines(
        ["model", "kind", "count"], ["recall", "found", "found_any", "planted"], "planted",
        ["preset"],
    ),
    "evaluation": Lines(
        ["model", "detector", "positives", "negatives"],
        ["auc", "auc_scored", "tpr", "fpr", "found", "alarms"], "n_pos",
        ["preset", "label_preset"], more=STRICT,
    ),
    "kinds": Lines(["model", "detector", "kind", "count"], ["auc", "tpr", "fpr"], "n_pos", ["preset"]),
    "scores": Lines(
        ["model", "detector"], ["auc", "tpr", "unet_rows"], "n_pos", [],
        more=STRICT_OR_PRECISION,
    ),
    "depths": Lines(
        ["model", "detector", "k"], ["precision", "precision_planted", "base_planted"], "k",
        ["preset", "label_preset"],
    ),
    "confusion": Lines(
        ["model", "label", "kind"], ["share_planted", "prompts", "sources"], "prompts", ["preset"],
        counts=("prompts", "sources"),
    ),
}  # fmt: skip
SHARES = {
    "recall", "auc", "auc_scored", "tpr", "fpr", "alarms", "share_planted", "precision",
    "precision_planted", "base_planted",
}  # fmt: skip


def _is_share(table: str, quantity: str) -> bool:
    """Whether a quantity lies in [0, 1]."""
    return (
        bool(STRICT_OR_PRECISION.fullmatch(quantity))
        or quantity in SHARES
        or (table, quantity) == ("evaluation", "found")
    )


def compare_seeds(runs: dict[str, dict[str, pd.DataFrame]], confidence: float) -> pd.DataFrame:
    """Mean, range and interval of each number of the tables over runs.

    Parameters
    ----------
    runs : table (a name in `LINES`) -> run -> its table
    confidence : of Student's t interval over runs, cut at 0 and 1 for shares

    Returns
    -------
    table, model, item (what names the line, joined by " / "), quantity, runs (that have a value; a
    count of `confusion` has one, 0, in a run without the line, a share has none there), mean, low,
    high, min, max, n (what the number is counted over in a run, mean of the runs), preset (of the
    score and of the labels). low and high are empty for fewer than two runs.
    """
    rows = []
    for name, tables in runs.items():
        rule = LINES[name]
        every = pd.concat([table.assign(run=run) for run, table in tables.items()])
        more = [c for c in every.columns if rule.more and rule.more.fullmatch(str(c))]
        for key, lines in every.groupby(rule.keys, sort=False):
            n = lines[rule.n].mean()
            presets = [
                "/".join(named) for named in lines[rule.presets].fillna("").astype(str).to_numpy()
            ]
            for quantity in (*rule.quantities, *more):
                values = lines.set_index("run")[quantity]
                if quantity in rule.counts:
                    values = values.reindex(list(tables), fill_value=0)
                values = values.dropna().astype(float)
                low, high = t_interval(values, confidence)
                if _is_share(name, quantity):
                    low, high = max(low, 0.0), min(high, 1.0)
                rows.append(
                    {
                        "table": name, "model": str(key[0]),
                        "item": " / ".join(str(part) for part in key[1:]), "quantity": quantity,
                        "runs": len(values), "mean": values.mean(), "low": low, "high": high,
                        "min": values.min(), "max": values.max(), "n": n,
                        "preset": ",".join(sorted(set(presets))).strip("/"),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
