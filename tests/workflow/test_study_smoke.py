"""The copying study on the smoke world: from nothing to its page, and what a training that diverges does to it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from snakemake_runs import Done, Tree

from verbatim.io.contracts import CONTRACTS
from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table

FIRST = "results/study_smoke"
POINTS = ["none", "full10", "mc_full10", "uncond"]
VERDICTS = {"held", "not held", "undecided", "failed", "not run", "yes", "no"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("study_smoke") / "tree", ("config/smoke.yaml",))


@pytest.fixture(scope="module")
def first(tree) -> Done:
    """The run from nothing."""
    done = tree.run("study", results=FIRST)
    assert done.code == 0, done.text[-5000:]
    return done


@pytest.fixture(scope="module")
def made(tree, first) -> Path:
    return tree.folder / FIRST


def counts(text: str) -> dict[str, int]:
    """Rule -> jobs, of snakemake's table."""
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", text, re.M)}


def test_each_training_and_each_run_is_a_job_of_its_own(first):
    jobs = counts(first.text)
    assert jobs["train_point"] == 7
    assert jobs["generate_point"] == jobs["score_point"] == 4 + 3  # and three defences of one point


def test_every_point_is_trained_and_every_run_is_drawn_attacked_and_measured(made):
    states = read_table(made / "claims/states.parquet", "sweep_state")
    assert set(states["status"]) == {"ok"}
    measures = read_table(made / "claims/measures.parquet", "run_measures")
    for point in POINTS:
        for defence in ("none", "gni", "rt", "wen") if point == "full10" else ("none",):
            folder = made / "mitigation/runs" / point / "0" / defence
            drawn = read_table(folder / "generations.parquet", "mitigation_generations")
            with ImageArchive(folder / "images.zip") as archive:
                assert len(archive.names()) == len(drawn) > 0
            of_run = measures[measures["point"].eq(point) & measures["defence"].eq(defence)]
            wanted = {"similarity:p95", "background:p95", "frechet:sscd", "copies_any"}
            wanted |= set() if point == "uncond" else {"recall", "clip_score"}
            assert wanted <= set(of_run["measure"]), (point, defence)
            assert "fid" not in set(of_run["measure"])  # no Inception here
    assert {"auc:loss", "auc:lira", "auc:inpainting"} <= set(
        measures.loc[measures["point"].eq("shadows"), "measure"]
    )
    assert set(measures.loc[measures["measure"].eq("relative:flagged"), "point"]) == {"uncond"}


def test_a_csv_table_has_the_columns_that_its_contract_explains(made):
    tables = {file: one for file, one in CONTRACTS["study"].items() if file.endswith(".csv")}
    assert len(tables) >= 3
    for file, one in tables.items():
        assert list(pd.read_csv(made / file, nrows=0).columns) == list(one.columns), file


def test_claims_table_and_page_say_what_was_run_and_what_was_not(made):
    claims = pd.read_csv(made / "claims/claims.csv", keep_default_na=False)
    assert set(claims["verdict"]) <= VERDICTS
    assert {"undecided", "not run"} <= set(claims["verdict"])  # one seed, few points
    table = pd.read_csv(made / "claims/mitigations.csv", keep_default_na=False)
    ran = table[table["status"].eq("ok")]
    assert {"none", "mc", "gni", "rt", "wen"} <= set(ran["mitigation"])
    assert len(table) > len(ran)
    page = (made / "claims/claims.html").read_text("utf-8")
    assert not re.findall(
        r"<(?:script|img|link|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", page
    )
    assert all(words in page for words in ("undecided", "not run", "image/png;base64"))
    figures = {p.stem for p in (made / "claims/figures").glob("*.png")}
    assert {"duplication", "mitigations_training", "membership", "relative"} <= figures


def test_a_second_run_does_nothing_and_more_points_train_those_points_alone(tree, made):
    assert "Nothing to be done" in tree.plan("study", results=FIRST).text
    names = [
        *POINTS,
        "half0",
        "half1",
        "half2",
        "rt_full10",
        "dataall",
    ]  # the last takes more images than any
    more = f"{{select_points: [{', '.join(names)}]}}"
    jobs = counts(tree.plan("study", results=FIRST, sweep=more).text)
    assert (jobs["train_point"], jobs["generate_point"]) == (2, 2)
    assert "select_pool" not in jobs


def test_a_training_that_diverges_is_recorded_with_its_reason_and_the_rest_goes_on(tree, made):
    other = tree.folder / "results/study_diverged"
    # the images, CLIP and VAE that every point shares are not made a second time
    shutil.copytree(made / "sweep/shared", other / "sweep/shared")
    sweep = "{select_points: [full10], training: {learning_rate: 1.0e+30}}"
    mitigation = "{defended: [], users: {point: full10}}"
    done = tree.run(
        "study",
        "--rerun-triggers",
        "mtime",
        results="results/study_diverged",
        sweep=sweep,
        mitigation=mitigation,
    )
    assert done.code == 0, done.text[-5000:]
    state = read_table(other / "claims/states.parquet", "sweep_state").iloc[0]
    assert state["status"] == "failed"
    assert "loss" in state["reason"]
    claims = pd.read_csv(other / "claims/claims.csv", keep_default_na=False)
    failed = claims[claims["verdict"].eq("failed")]
    assert len(failed)
    assert failed["note"].str.contains("full10 failed").any()
    table = pd.read_csv(other / "claims/mitigations.csv", keep_default_na=False)
    assert "failed" in " ".join(table["status"])
    assert "failed" in (other / "claims/claims.html").read_text("utf-8")
