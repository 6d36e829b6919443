"""What the study's grid asks of the workflow, and what is refused before any work."""

from __future__ import annotations

import re

import pytest
from snakemake_runs import Tree

SMOKE = ("config/smoke.yaml",)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("study") / "tree", SMOKE)


def counts(text: str) -> dict[str, int]:
    """Rule -> jobs, of a dry run's table."""
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", text, re.M)}


def test_each_training_and_each_run_is_a_job_of_its_own(tree):
    jobs = counts(tree.plan("study").text)
    assert jobs["train_point"] == 7
    assert jobs["generate_point"] == jobs["score_point"] == 4 + 3  # and three defences of one point


def test_table_1_and_everything_else_ask_for_nothing_of_the_study(tree):
    assert "_point" not in tree.plan("all").text


def test_a_point_that_cannot_be_trained_is_refused_by_row_column_and_cure(tree, tmp_path):
    sheet = tmp_path / "sweep.tsv"
    text = (tree.folder / "config/sweep.tsv").read_text("utf-8")
    sheet.write_text(text.replace("\tmc\t", "\tmany_captions\t", 1), "utf-8")
    done = tree.run("--dry-run", "study", sweep=f"{{points: {sheet}}}")
    assert done.code != 0
    where = re.escape(f"{sheet}, line ")
    assert re.search(
        rf"{where}\d+ \(mc\): column mitigation: 'many_captions' is unknown; known: none, mc",
        done.text,
    )
    assert "Traceback" not in done.text


def test_a_defended_point_that_is_misspelt_is_refused(tree):
    done = tree.run("--dry-run", "study", mitigation="{defended: [ful10]}")
    assert done.code != 0
    assert "mitigation.defended has 'ful10'" in done.text
    assert "did you mean 'full10'?" in done.text
