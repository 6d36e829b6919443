"""Published prompt sets as a target: captions alone without a checkpoint, scores without any training data."""

from __future__ import annotations

import json

import made_sets
import pandas as pd
import pytest
from made_sets import headlines, sentences
from snakemake_runs import Tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("sets") / "tree")
    made_sets.write_wen(tree.folder / "mem.jsonl", headlines())
    made_sets.write_lines(tree.folder / "nmem.txt", sentences())
    return tree


SETS = json.dumps(
    {"sets": {"wen": {"positives": {"files": ["mem.jsonl"]}, "negatives": {"files": ["nmem.txt"]}}}}
)


def test_captions_alone_need_neither_a_checkpoint_nor_a_world(tree):
    done = tree.run("prompt_sets", prompt_sets=SETS, tables="{resamples: 20}")
    assert done.code == 0, done.text[-3000:]
    assert done.rules == {"build_prompt_sets", "count_sets", "prompt_sets"}
    table = pd.read_csv(tree.folder / "results/tables/prompt_sets.csv")
    assert table["auc"][0] > 0.9
    assert (tree.folder / "results/tables/prompt_sets.html").is_file()


def test_scores_of_the_selected_models_need_no_training_data(tree):
    done = tree.plan(
        "prompt_sets", results="results/scored", prompt_sets=SETS, dedup="{prompt_list: prompt_sets}",
        select_models="[sd1,sd2]",
    )  # fmt: skip
    assert done.models == {"sd1", "sd2"}
    assert {
        "select_sets",
        "denoise_whitebox",
        "generate_blackbox",
        "score_sets",
        "count_sets",
    } <= done.rules
    assert not {"build_dataset", "build_rows", "cluster_rows", "generate_candidates"} & done.rules
    assert "filter_prompts" not in done.rules


def test_the_post_filter_is_asked_for_by_its_key(tree):
    more = json.loads(SETS) | {"postfilter": True}
    done = tree.plan(
        "prompt_sets", results="results/scored", prompt_sets=json.dumps(more), dedup="{prompt_list: prompt_sets}",
        select_models="[sd1]",
    )  # fmt: skip
    assert "filter_prompts" in done.rules


def test_a_set_whose_file_is_not_there_ends_the_run_before_any_work(tree):
    wrong = SETS.replace("nmem.txt", "nowhere.txt")
    done = tree.run("--dry-run", "prompt_sets", prompt_sets=wrong)
    assert done.code != 0
    assert "prompt_sets.sets.wen.negatives.files: nowhere.txt: no such file" in done.text
