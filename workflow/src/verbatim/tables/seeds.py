"""What several worlds, each planted and trained from its own seed, agree on."""

from __future__ import annotations

import pandas as pd

from verbatim.tables.statistics import t_interval

# table -> (columns that name a line, columns that are compared, range of the values)
LINES: dict[str, tuple[list[str], list[str]]] = {
    "table1": (["Model"], ["Retrieved", "Template", "Exact", "Unique sources", "Review", "Judged"]),
    "recall": (["model", "kind", "count"], ["recall", "found", "found_any", "planted"]),
    "evaluation": (
        ["model", "detector", "positives", "negatives"], ["auc", "auc_scored", "tpr", "fpr", "found", "alarms"],
    ),
    "confusion": (["model", "label", "kind"], ["share_planted", "prompts", "sources"]),
}  # fmt: skip
SHARES = {"recall", "auc", "auc_scored", "tpr", "fpr", "alarms", "share_planted"}
# Counts that are 0 in a run without their line: a line is written only where there is one to count
COUNTS = {"confusion": ("prompts", "sources")}


def compare_seeds(runs: dict[str, dict[str, pd.DataFrame]], confidence: float) -> pd.DataFrame:
    """Mean, range and interval of each number of the tables over runs.

    Parameters
    ----------
    runs : table (`table1`, `recall`, `evaluation`, `confusion`) -> run -> its table
    confidence : of Student's t interval over runs, cut at 0 and 1 for shares

    Returns
    -------
    table, model, item (what names the line, joined by " / "), quantity, runs (that have a value; a
    count of `confusion` has one, 0, in a run without the line, a share has none there), mean, low,
    high, min, max. low and high are empty for fewer than two runs.
    """
    rows = []
    for name, tables in runs.items():
        keys, quantities = LINES[name]
        parts = [
            table.assign(run=run)[["run", *keys, *quantities]] for run, table in tables.items()
        ]
        for key, lines in pd.concat(parts).groupby(keys, sort=False):
            for quantity in quantities:
                values = lines.set_index("run")[quantity]
                if quantity in COUNTS.get(name, ()):
                    values = values.reindex(list(tables), fill_value=0)
                values = values.dropna().astype(float)
                low, high = t_interval(values, confidence)
                if quantity in SHARES or (name, quantity) == ("evaluation", "found"):
                    low, high = max(low, 0.0), min(high, 1.0)
                rows.append(
                    {
                        "table": name, "model": str(key[0]),
                        "item": " / ".join(str(part) for part in key[1:]), "quantity": quantity,
                        "runs": len(values), "mean": values.mean(), "low": low, "high": high,
                        "min": values.min(), "max": values.max(),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
