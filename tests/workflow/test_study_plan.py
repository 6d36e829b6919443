"""What of the study's grid is refused before any work."""

from __future__ import annotations

import re

import pytest
from snakemake_runs import Tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("study") / "tree", ("config/smoke.yaml",))


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
