"""Checks on the artefacts of a run; the rule check_results runs them at the end of every run.

VERBATIM_CHECKS names a JSON file with the run's folder, its models and their settings. Under a
plain `pytest` there is no run to look at, and all of this is skipped.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "src"))

from verbatim.config.decisions import of_model, read_decisions
from verbatim.io.images import ImageArchive
from verbatim.io.seals import checked
from verbatim.io.records import SCHEMAS, count_rows, read_table, rows_between
from verbatim.tables import checks

if not os.environ.get("VERBATIM_CHECKS"):
    pytest.skip(
        "no run to check: the rule check_results sets VERBATIM_CHECKS", allow_module_level=True
    )
SETTINGS: dict[str, Any] = json.loads(Path(os.environ["VERBATIM_CHECKS"]).read_text())
ROOT = Path(SETTINGS["results"])
MODELS: list[dict[str, Any]] = SETTINGS["models"]  # model, name, attacked, trained_on_kept, closed
ATTACKED = [one["model"] for one in MODELS if one["attacked"]]
CLOSED = [one["model"] for one in MODELS if one.get("closed")]

each_model = pytest.mark.parametrize("model", [one["model"] for one in MODELS])
each_attacked = pytest.mark.parametrize("model", ATTACKED)


@cache
def table(kind: str, path: str) -> pd.DataFrame:
    return read_table(ROOT / path, kind)


def labels_of(model: str) -> pd.DataFrame:
    return table("labels", f"labels/{model}/labels.parquet")


def shards(filters: list[tuple[str, str, Any]] | None = None) -> Iterator[pd.DataFrame]:
    """Row and status of a shard at a time: two billion rows fit no memory."""
    for shard in SETTINGS["shards"]:
        yield read_table(ROOT / f"inputs/rows/{shard}.parquet", "rows", ["row", "status"], filters)


@cache
def known_sources() -> pd.Series:
    """Those sources of labels that are training rows."""
    sources = {row for one in MODELS for row in labels_of(one["model"])["source_row"]}
    return pd.concat([shard["row"] for shard in shards([("row", "in", sorted(sources))])])


def members(path: str) -> list[str]:
    with ImageArchive(ROOT / path) as archive:
        return archive.names()


def expect_none(faults: list[str]) -> None:
    if faults:
        pytest.fail("; ".join(faults), pytrace=False)


def test_training_rows_are_unique() -> None:
    faults, last = [], -1
    for shard in shards():
        faults += checks.unique_keys("inputs/rows", shard, ["row"])
        if len(shard) and shard["row"].min() <= last:  # shards are in the order of their rows
            faults.append(f"inputs/rows: row {shard['row'].min()} is in a shard behind row {last}")
        last = max(last, shard["row"].max()) if len(shard) else last
    expect_none(faults)


def test_prompts_are_unique() -> None:
    expect_none(
        checks.unique_keys("prompts", table("prompts", "dedup/prompts.parquet"), ["prompt_id"])
    )


def test_one_row_of_every_cluster_was_kept() -> None:
    files = {kind: ROOT / f"dedup/{kind}.parquet" for kind in ("kept_rows", "clusters")}

    def pieces() -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
        for shard in shards():
            inside = [rows_between(files[k], k, shard["row"].to_numpy()) for k in files]
            yield inside[0], inside[1], shard

    expect_none(checks.kept_rows_hold(pieces(), count_rows(files["kept_rows"])))


@pytest.mark.parametrize("model", [one["model"] for one in MODELS if one["trained_on_kept"]])
def test_deduplicated_model_was_trained_on_the_kept_rows(model: str) -> None:
    trained = table("kept_rows", f"world/training/{model}/rows.parquet")
    kept = table("kept_rows", "dedup/kept_rows.parquet")
    expect_none(checks.trained_on(model, trained["row"], kept["row"]))


@each_attacked
def test_every_prompt_has_one_confidence_score_of_at_least_zero_or_is_known_to_have_none(
    model: str,
) -> None:
    scores = table("whitebox", f"whitebox/{model}/scores.parquet")
    name = f"whitebox/{model}/scores.parquet"
    faults = checks.unique_keys(name, scores, ["prompt_id"]) + checks.ranks_complete(name, scores)
    for column in ("dcs", "dcs_reference", "dcs_paper", "wen_first_step"):
        faults += checks.values_between(name, scores, column, 0, may_lack=True)
    faults += checks.unscored_without_seeds(name, scores, "dcs")
    asked = set(table("prompts", "dedup/prompts.parquet")["prompt_id"])
    if set(scores["prompt_id"]) != asked:
        faults.append(f"{name}: the prompts are not those of dedup/prompts.parquet")
    expect_none(faults)


@each_attacked
def test_edge_scores_are_shares(model: str) -> None:
    name = f"blackbox/{model}/scores.parquet"
    scores = table("blackbox", name)
    faults = checks.unique_keys(name, scores, ["prompt_id"]) + checks.ranks_complete(name, scores)
    for column in [c for c in SCHEMAS["blackbox"].names if c.startswith("ecs")]:
        faults += checks.values_between(name, scores, column, 0, 1, may_lack=True)
    faults += checks.unscored_without_seeds(name, scores, "ecs")
    expect_none(faults)


@each_attacked
def test_cliques_are_no_larger_than_the_images(model: str) -> None:
    name = f"postfilter/{model}/scores.parquet"
    scores = table("postfilter", name)
    faults = checks.unique_keys(name, scores, ["prompt_id"])
    faults += checks.values_between(name, scores, "unet_rows", 1)
    too_large = scores[scores["clique_size"] > scores["n_images"]]
    if len(too_large):
        faults.append(
            f"{name}: a clique of more images than there are: {list(too_large['prompt_id'])}"
        )
    expect_none(faults)


@each_model
def test_labels_are_known_and_one_a_prompt(model: str) -> None:
    name, labels = f"labels/{model}/labels.parquet", labels_of(model)
    expect_none(checks.unique_keys(name, labels, ["prompt_id"]) + checks.labels_known(name, labels))


@each_model
def test_every_copy_has_a_training_row_as_its_source(model: str) -> None:
    expect_none(
        checks.sources_exist(f"labels/{model}/labels.parquet", labels_of(model), known_sources())
    )


@each_model
def test_distances_are_below_the_threshold_of_their_label(model: str) -> None:
    name = f"labels/{model}/labels.parquet"
    expect_none(checks.distances_below(name, labels_of(model), SETTINGS["thresholds"]))


@each_model
def test_every_judged_prompt_has_its_generations(model: str) -> None:
    got = members(f"labels/{model}/images.zip")
    name = f"labels/{model}/images.zip"
    seeds = None if model in CLOSED else SETTINGS["seeds"]
    expect_none(checks.generations_complete(name, labels_of(model), seeds, got))


@each_model
def test_sources_and_masks_of_copies_are_kept(model: str) -> None:
    training, masks = members(f"labels/{model}/training.zip"), members(f"labels/{model}/masks.zip")
    expect_none(checks.images_kept(f"labels/{model}", labels_of(model), training, masks))


@pytest.mark.parametrize(("model", "name"), [(one["model"], one["name"]) for one in MODELS])
def test_table1_adds_up(model: str, name: str) -> None:
    table1 = pd.read_csv(checked(ROOT / "table1.csv"), keep_default_na=False)
    names = [one["name"] for one in MODELS]
    labels, path = labels_of(model), SETTINGS["decisions"]
    decided = read_decisions(path, SETTINGS["known"])
    decided = of_model(decided, model, labels["prompt_id"], path)
    expect_none(checks.table1_adds_up(table1, name, labels, names, decided))


def test_costs_are_positive() -> None:
    expect_none(
        checks.costs_positive(
            pd.read_csv(checked(ROOT / "tables/costs.csv"), keep_default_na=False), CLOSED
        )
    )
