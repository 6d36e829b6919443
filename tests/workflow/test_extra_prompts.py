"""Which captions are judged beside the selected ones: what a world holds out, and a user's."""

from __future__ import annotations

import re

import pytest
from snakemake_runs import Tree

HELD_OUT = "results/world/extra_prompts.parquet"


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("extra") / "tree")


def test_a_users_prompts_in_a_world_are_judged_beside_those_that_it_holds_out(tree):
    (tree.folder / "mine.csv").write_text("caption\na red heart\n")
    text = tree.plan("results/dedup/prompts.parquet", inputs="{extra_prompts: mine.csv}").text
    found = re.search(r"^rule select_prompts:\n +input: (.*)$", text, re.M)
    assert found is not None
    assert {HELD_OUT, "mine.csv"} <= set(found[1].split(", "))
