"""Counts of extracted training images of each model (Table 1).

Webster 2023, Table 1: retrieved (RV), template (TV) and exact (MV) verbatims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

# columns of the paper's values: texts, and numbers
PAPER = (("reference", "deduplicated"), ("retrieved", "template", "exact"))
COPIES = {"RV": "Retrieved", "TV": "Template", "MV": "Exact"}


class TableError(ValueError):
    """The tables cannot be made from these records; the message names the file, the key and the cure."""


def is_copy(labels: pd.DataFrame) -> pd.Series:
    """Which rows of a `labels` table count as a copy: MV, RV or TV, and not set aside by a guard."""
    return labels["label"].isin(list(COPIES)) & ~labels["review"]


def count_labels(
    models: list[dict[str, Any]],
    labels: dict[str, pd.DataFrame],
    clusters: pd.DataFrame,
    decisions: Mapping[str, Mapping[int, str]] | None = None,
) -> pd.DataFrame:
    """Table 1 of these models, one row for each model in the order of the sheet.

    Parameters
    ----------
    models : rows of the model sheet with `model`, `name`, `deduplicated`
    labels : a `labels` table for each model. Extra prompts do not count: nobody selected them.
    clusters : a `clusters` table; rows of one cluster are one source
    decisions : model -> prompt_id -> `accept` or `reject`, by a person. A rejected copy is not counted;
        an accepted one is, though a guard set it aside.

    Returns
    -------
    Columns Model, Deduplicated training, Retrieved, Template, Exact as in the paper; then
    Judged (prompts that got a verdict or were set aside), Review (of these, set aside by a guard and
    not decided; counted nowhere else), Accepted, Rejected (by a person, whatever the label; rejected
    ones are counted nowhere else), Missing (prompts whose training images could not be read, not
    judged), Unique sources (distinct training images behind all counted copies), Preset (of the
    thresholds).
    """
    cluster_of = clusters.set_index("row")["cluster"]
    rows = []
    for model in models:
        table = labels[model["model"]]
        table = table[~table["extra"]]
        presets = sorted(set(table["preset"]))
        if len(presets) > 1:
            raise TableError(
                f"labels of {model['model']}: thresholds of {presets} are mixed in one table; delete "
                "the model's labels.parquet and run again"
            )
        decided = table["prompt_id"].map(dict((decisions or {}).get(model["model"], {})))
        accepted, rejected = decided.eq("accept"), decided.eq("reject")
        copies = table[
            (is_copy(table) | (accepted & table["label"].isin(list(COPIES)))) & ~rejected
        ]
        sources = copies["source_row"].map(cluster_of).fillna(copies["source_row"])
        missing = table["label"].eq("missing")
        rows.append(
            {"Model": model["name"], "Deduplicated training": model["deduplicated"]}
            | {name: int(copies["label"].eq(label).sum()) for label, name in COPIES.items()}
            | {
                "Judged": int((~missing).sum()),
                "Review": int((table["review"] & ~missing & ~accepted & ~rejected).sum()),
                "Accepted": int(accepted.sum()),
                "Rejected": int(rejected.sum()),
                "Missing": int(missing.sum()),
                "Unique sources": int(sources.nunique()),
                "Preset": presets[0] if presets else "",
            }
        )
    return pd.DataFrame(rows)


def compare_paper(
    table1: pd.DataFrame, references: dict[str, str], paper: pd.DataFrame
) -> pd.DataFrame:
    """Our Table 1 beside the paper's.

    Parameters
    ----------
    table1 : from `count_labels`
    references : our model's name -> its name in `paper`, "" where the paper has no such model
    paper : reference, deduplicated, retrieved, template, exact, as printed

    Returns
    -------
    One row for each model of ours, then the paper's models that we have none for. Empty where one side is
    silent.
    """
    ours = table1.assign(reference=table1["Model"].map(references).fillna(""))
    unknown = sorted(set(ours["reference"]) - set(paper["reference"]) - {""})
    if unknown:
        raise TableError(
            f"the model sheet's column reference names {unknown}, which the paper's values do not have; "
            f"known: {sorted(paper['reference'])}, or leave it empty"
        )
    both = ours.merge(paper, on="reference", how="outer", sort=False)
    ours_at = {name: i for i, name in enumerate(table1["Model"])}
    theirs_at = {name: len(ours_at) + i for i, name in enumerate(paper["reference"])}
    order = both["Model"].map(ours_at).fillna(both["reference"].map(theirs_at))
    both = both.assign(Model=both["Model"].fillna(both["reference"]), order=order)
    both = both.sort_values("order", kind="stable")
    out = {"Model": both["Model"], "Model in the paper": both["reference"]}
    for column in ("Deduplicated training", "Retrieved", "Template", "Exact"):
        theirs = both[column.split()[0].lower()]
        if column != "Deduplicated training":
            out[column] = both[column].astype("Int64")
            theirs = theirs.astype("Int64")
        else:
            out[column] = both[column]
        out[f"{column} (paper)"] = theirs
    out["Judged"] = both["Judged"].astype("Int64")
    return pd.DataFrame(out).reset_index(drop=True)
