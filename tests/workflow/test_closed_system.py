"""A closed system's row of the sheet: its images are read, and nothing is generated or loaded for it."""

import numpy as np
import pandas as pd
import pytest
from snakemake_runs import Job, Tree

from verbatim.io.images import encode_png
from verbatim.io.records import read_table


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    """A sheet of sd1 and of Midjourney, whose three images lie in a folder of their own."""
    root = tmp_path_factory.mktemp("closed")
    tree = Tree(root / "tree")
    folder = root / "midjourney"
    folder.mkdir()
    lines = ["file,prompt,seed"]
    for i in range(3):
        (folder / f"{i}.png").write_bytes(encode_png(np.full((8, 8, 3), 60 * i, np.uint8)))
        lines.append(f"{i}.png,caption {i},{i}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    sheet = pd.read_csv(
        tree.folder / "config/models_train.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    sheet = sheet[sheet.model.isin(["sd1", "if"])].copy()
    changes = {
        "model": "midjourney", "name": "Midjourney v4", "family": "images", "training": "", "upscaler": "",
        "source": str(folder), "deduplicated": "unknown", "candidates": "manifest", "reference": "",
    }  # fmt: skip
    sheet.loc[sheet.model == "if", list(changes)] = list(changes.values())
    sheet.to_csv(tree.folder / "sheet.tsv", sep="\t", index=False)
    return tree


def test_its_files_are_read_and_no_rule_that_calls_a_network_makes_them(tree):
    bundle = "results/evidence/bundles/midjourney/all"
    jobs = tree.plan("results/table1.csv", bundle, models="sheet.tsv").jobs
    after = {
        "search_neighbours",
        "select_images",
        "fetch_images",
        "label_candidates",
        "merge_labels",
    }
    evidence = {"check_copies", "build_bundle"}
    of = {
        model: {job.rule for job in jobs if job.model == model} for model in ("midjourney", "sd1")
    }
    assert of["midjourney"] == {"build_generations", "select_generations"} | after | evidence
    assert of["sd1"] >= {"select_candidates", "generate_candidates", "denoise_whitebox"} | after


def test_a_world_that_is_trained_anew_draws_the_images_of_its_closed_system_too(tree):
    jobs = tree.plan(
        "results/labels/midjourney/labels.parquet", models="config/models_train.tsv"
    ).jobs
    assert {Job("train_model", "closed"), Job("build_generations", "midjourney")} <= set(jobs)
    assert "generate_closed" in {job.rule for job in jobs}
    assert "generate_candidates" not in {job.rule for job in jobs}


def test_its_candidates_may_be_another_models_top_prompts(tree):
    sheet = (tree.folder / "sheet.tsv").read_text().replace("\tmanifest\t", "\ttop:sd1\t")
    (tree.folder / "top.tsv").write_text(sheet)
    jobs = tree.plan("results/labels/midjourney/labels.parquet", models="top.tsv").jobs
    assert Job("compare_edges", "sd1") in jobs
    assert "generate_candidates" not in {job.rule for job in jobs}


def test_its_images_come_first_and_alone(tree):
    target = "results/labels/midjourney/images.zip"
    done = tree.run(target, models="sheet.tsv")
    assert done.code == 0, done.text[-3000:]
    table = read_table(tree.folder / "results/labels/midjourney/generations.parquet", "generations")
    assert table["status"].tolist() == ["ok"] * 3
    assert not (tree.folder / "results/world").exists()
    assert "Nothing to be done" in tree.run(target, models="sheet.tsv").text
    (tree.folder.parent / "midjourney/manifest.csv").rename(tree.folder.parent / "gone.csv")
    done = tree.run(target, models="sheet.tsv")
    assert done.code != 0
    assert "midjourney has the family 'images'" in done.text
