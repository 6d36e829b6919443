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
    is one to count. strict : takes the true positive rates at the stricter rates too.
    """

    keys: list[str]
    quantities: list[str]
    n: str
    presets: list[str]
    counts: tuple[str, ...] = ()
    strict: bool = False


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
        ["preset", "label_preset"], strict=True,
    ),
    "kinds": Lines(["model", "detector", "kind", "count"], ["auc", "tpr", "fpr"], "n_pos", ["preset"]),
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
STRICT = re.compile(r"(tpr|fpr)_[\d.e-]+")


def _is_share(table: str, quantity: str) -> bool:
    """Whether a quantity lies in [0, 1]."""
    strict = bool(STRICT.fullmatch(quantity))
    return strict or quantity in SHARES or (table, quantity) == ("evaluation", "found")


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
        strict = [c for c in every.columns if STRICT.fullmatch(str(c))] if rule.strict else []
        for key, lines in every.groupby(rule.keys, sort=False):
            n = lines[rule.n].mean()
            presets = (
                lines.reindex(columns=rule.presets).fillna("").astype(str).agg("/".join, axis=1)
            )
            for quantity in (*rule.quantities, *strict):
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
