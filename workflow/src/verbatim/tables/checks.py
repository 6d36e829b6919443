"""What must hold of every finished result, whatever was attacked with whatever settings.

Each check takes tables and returns what is wrong with them, one sentence for each fault, none if all is
well; `tests/results` calls them on the artefacts of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from verbatim.io.images import generation_name, missing_name, row_name, seeds_of_prompts

SHOWN = 5  # faults of one kind that are spelled out
LABELS = ("MV", "RV", "TV", "N", "missing")
TOLERANCE = 1e-6  # ASSUME: relative, of distances stored after float32 arithmetic


def _some(items: Iterable[object]) -> str:
    """The first items in words, and how many there are."""
    every = list(items)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(str(item) for item in every[:SHOWN]) + more


def unique_keys(name: str, table: pd.DataFrame, keys: list[str]) -> list[str]:
    """No two rows of `table` share their key."""
    twice = table[table.duplicated(keys)]
    if twice.empty:
        return []
    return [f"{name}: {keys} met twice: {_some(map(tuple, twice[keys].to_numpy()))}"]


def values_between(
    name: str,
    table: pd.DataFrame,
    column: str,
    low: float,
    high: float = np.inf,
    may_lack: bool = False,
) -> list[str]:
    """Every value of a column is a number in [low, high]; or NaN, with `may_lack`."""
    bad = table[~table[column].between(low, high) | ~np.isfinite(table[column])]
    if may_lack:
        bad = bad[bad[column].notna()]
    if bad.empty:
        return []
    return [
        f"{name}: {column} must lie in [{low:g}, {high:g}], found {_some(bad[column])} "
        f"(prompt {_some(bad['prompt_id'])})"
    ]


def unscored_without_seeds(name: str, table: pd.DataFrame, column: str) -> list[str]:
    """A prompt has no score exactly where no seed gave a finite number (`n_seeds` is 0), and ranks last."""
    lacks = table[column].isna()
    bad = table[lacks != table["n_seeds"].eq(0)]
    faults = []
    if len(bad):
        faults.append(f"{name}: {column} and n_seeds disagree: prompt {_some(bad['prompt_id'])}")
    if lacks.any() and table.loc[lacks, "rank"].min() < (~lacks).sum():
        faults.append(f"{name}: a prompt without {column} ranks before one that has it")
    return faults


def ranks_complete(name: str, table: pd.DataFrame) -> list[str]:
    """`rank` counts 0, 1, 2, ... without a gap."""
    if sorted(table["rank"]) == list(range(len(table))):
        return []
    return [f"{name}: rank must count 0 to {len(table) - 1}, each once"]


def labels_known(name: str, labels: pd.DataFrame) -> list[str]:
    """A label is MV, RV, TV, N or missing."""
    bad = labels[~labels["label"].isin(LABELS)]
    return [f"{name}: unknown label {_some(sorted(set(bad['label'])))}"] if len(bad) else []


def sources_exist(name: str, labels: pd.DataFrame, rows: pd.Series) -> list[str]:
    """Every copy has a source, and every source is a training row."""
    copies = labels[labels["label"].isin(["MV", "RV", "TV"])]
    bad = copies[~copies["source_row"].isin(rows)]
    if bad.empty:
        return []
    pairs = zip(bad["prompt_id"], bad["source_row"], strict=True)
    return [
        f"{name}: the source is no training row: "
        + _some(f"prompt {prompt} row {row}" for prompt, row in pairs)
    ]


def distances_below(name: str, labels: pd.DataFrame, thresholds: dict[str, float]) -> list[str]:
    """The distance of every copy is at most its label's threshold, and is the one of that label."""
    faults = []
    for label in ("MV", "RV", "TV"):
        limit = thresholds[label.lower()] * (1 + TOLERANCE)
        some = labels[labels["label"].eq(label)]
        bad = some[~some["distance"].between(0, limit)]
        if len(bad):
            faults.append(
                f"{name}: {label} with a distance above {thresholds[label.lower()]:g} or none: "
                f"{_some(bad['distance'])} (prompt {_some(bad['prompt_id'])})"
            )
        other = some[
            ~np.isclose(some["distance"], some[f"distance_{label.lower()}"], rtol=TOLERANCE)
        ]
        if len(other):
            faults.append(
                f"{name}: {label} whose distance is not distance_{label.lower()}: "
                f"prompt {_some(other['prompt_id'])}"
            )
    return faults


def generations_complete(
    name: str, labels: pd.DataFrame, seeds: list[int] | None, members: Iterable[str]
) -> list[str]:
    """Every judged prompt has a generation of every seed, or a record why it is missing; where `seeds` is None, one at least.

    None is for a closed system, whose manifest gives each prompt what it gives: a prompt without an
    image must then be called missing.
    """
    have = set(members)
    if seeds is None:
        given = seeds_of_prompts(have)
        judged = labels.loc[labels["label"].ne("missing"), "prompt_id"]
        none = [prompt for prompt in judged if prompt not in given]
        return [f"{name}: no generation of prompt {_some(none)}"] if none else []
    wanted = [generation_name(prompt, seed) for prompt in labels["prompt_id"] for seed in seeds]
    lost = [member for member in wanted if not {member, missing_name(member)} & have]
    return [f"{name}: no generation {_some(lost)}"] if lost else []


def images_kept(
    name: str, labels: pd.DataFrame, training: Iterable[str], masks: Iterable[str]
) -> list[str]:
    """The source image of every copy and the mask of every TV are in their archives."""
    have, have_masks = set(training), set(masks)
    copies = labels[labels["label"].isin(["MV", "RV", "TV"])]
    lost = [row_name(row) for row in copies["source_row"] if row_name(row) not in have]
    faults = [f"{name}: no training image {_some(lost)}"] if lost else []
    templates = copies[copies["label"].eq("TV")]
    lost = [file or "(no name)" for file in templates["mask_file"] if file not in have_masks]
    return faults + ([f"{name}: no mask {_some(lost)}"] if lost else [])


def table1_adds_up(
    table1: pd.DataFrame,
    name: str,
    labels: pd.DataFrame,
    models: list[str],
    decisions: Mapping[int, str] | None = None,
) -> list[str]:
    """The row of a model in Table 1 is the count of its labels and of what people decided of them
    (prompt_id -> accept or reject); the rows are the models, in order."""
    if list(table1["Model"]) != models:
        return [f"table1.csv: rows {list(table1['Model'])}, the model sheet has {models}"]
    line = table1[table1["Model"] == name].to_dict("records")[0]
    counted: dict[str, int] = dict.fromkeys(
        ("Retrieved", "Template", "Exact", "N", "Review", "Accepted", "Rejected", "Missing"), 0
    )
    names = {"RV": "Retrieved", "TV": "Template", "MV": "Exact", "N": "N", "missing": "Missing"}
    judged = 0
    for prompt_id, label, review, extra in zip(
        labels["prompt_id"], labels["label"], labels["review"], labels["extra"], strict=True
    ):
        if extra:
            continue
        decided = (decisions or {}).get(prompt_id, "")
        judged += label != "missing"
        if decided:
            counted[{"accept": "Accepted", "reject": "Rejected"}[decided]] += 1
        if label == "missing":
            counted["Missing"] += 1
        elif decided != "reject":
            counted["Review" if review and decided != "accept" else names[label]] += 1
    counted["Judged"] = judged
    return [
        f"table1.csv: {name} has {column} {line[column]}, its labels say {counted[column]}"
        for column in (
            "Retrieved",
            "Template",
            "Exact",
            "Judged",
            "Review",
            "Accepted",
            "Rejected",
            "Missing",
        )
        if int(line[column]) != counted[column]
    ]


def costs_positive(costs: pd.DataFrame, closed: Iterable[str] = ()) -> list[str]:
    """Whatever judged a prompt went through a network; `closed`: models that cannot, and must not.

    Labels may have cost nothing where the post-filter had made all of their generations.
    """
    without = costs["model"].isin(list(closed))
    filtered = costs.loc[costs["stage"].eq("postfilter") & costs["unet_rows"].gt(0), "model"]
    taken = costs["stage"].str.startswith("labels") & costs["model"].isin(filtered)
    bad = costs[(costs["unet_rows"] <= 0) & (costs["prompts"] > 0) & ~without & ~taken]
    spent = costs[without & (costs["unet_rows"] != 0)]
    if len(spent):
        return [f"costs.csv: network rows of a closed system: {_some(spent['model'])}"]
    pairs = zip(bad["stage"], bad["model"], strict=True)
    return (
        [f"costs.csv: no network rows: {_some('/'.join(pair) for pair in pairs)}"]
        if len(bad)
        else []
    )


def trained_on(name: str, trained: pd.Series, wanted: pd.Series) -> list[str]:
    """A model's training rows are the rows that it should have been trained on, no more, no fewer."""
    surplus, lost = sorted(set(trained) - set(wanted)), sorted(set(wanted) - set(trained))
    faults = (
        [f"{name}: trained on rows that deduplication dropped: {_some(surplus)}"] if surplus else []
    )
    return faults + ([f"{name}: not trained on kept rows {_some(lost)}"] if lost else [])


def kept_rows_hold(
    shards: Iterable[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]], n_kept: int
) -> list[str]:
    """Deduplication kept one row of every cluster and every usable row that is in none.

    Parameters
    ----------
    shards
        What `kept_rows`, `clusters` and `rows` (row, status) say of each shard's rows. One is held at a
        time; of those before it only the clusters are.
    n_kept
        How many rows `kept_rows` has in all.
    """
    none = np.empty(0, dtype=np.int64)
    kept_of, usable_of = [none], [none]  # clusters of kept and of usable rows
    twice, lost, unknown = [none], [none], [none]  # rows in no cluster; rows that are none
    for kept, clusters, rows in shards:
        cluster_of = clusters.set_index("row")["cluster"]
        usable = rows.loc[rows["status"].eq("ok"), "row"]
        for some, clustered in ((kept["row"], kept_of), (usable, usable_of)):
            clustered.append(cluster_of.reindex(some[some.isin(cluster_of.index)]).to_numpy())
        usable_of[-1] = np.unique(usable_of[-1])
        alone = kept.loc[~kept["row"].isin(cluster_of.index), "row"]
        twice.append(alone[alone.duplicated()].to_numpy())
        lost.append(usable[~usable.isin(cluster_of.index) & ~usable.isin(alone)].to_numpy())
        unknown.append(kept.loc[~kept["row"].isin(rows["row"]), "row"].to_numpy())
        n_kept -= len(kept)
    found, met = np.unique(np.concatenate(kept_of), return_counts=True)
    several = np.concatenate([*twice, found[met > 1]])
    without = np.sort(np.concatenate([*lost, np.setdiff1d(np.concatenate(usable_of), found)]))
    strange = np.concatenate(unknown)
    faults = [f"kept_rows: two rows of cluster {_some(several)}"] if len(several) else []
    faults += [f"kept_rows: no row left of cluster {_some(without)}"] if len(without) else []
    faults += [f"kept_rows: no such row: {_some(strange)}"] if len(strange) else []
    return faults + ([f"kept_rows: {n_kept} rows outside the shards"] if n_kept else [])
