"""Shards are planned for all prompts that a stage may be handed."""

from pathlib import Path

import pandas as pd
from overlays import change

from verbatim.config.prompt_plan import planned_prompts, shard_names
from verbatim.config.sheet import read_models

ROOT = Path(__file__).resolve().parents[3]


def test_shards_are_named_by_five_digits_and_the_last_holds_the_rest():
    assert shard_names(0, 5) == []
    assert shard_names(5, 5) == ["00000"]
    assert shard_names(11, 5) == ["00000", "00001", "00002"]


def test_prompts_are_planned_for_the_selected_and_the_held_out(config):
    n = config["dedup"]["n_prompts"]
    planted = config["world"]["planted"]
    held_out = sum(planted["held_out"].values())
    assert held_out >= 300
    assert planned_prompts(config) == n + held_out
    for own, beside in (("", 0), ("captions.txt", held_out)):
        assert planned_prompts(change(config, "inputs.extra_prompts", own)) == n + beside


def test_each_stage_plans_for_what_the_one_before_can_hand_it(config, sheet):
    for key, n in (
        ("dedup.n_prompts", 1000), ("blackbox.n_prompts", 300), ("postfilter.n_prompts", 500),
        ("labels.n_prompts", 40), ("labels.n_transfer", 70), ("inputs.extra_prompts", ""),
    ):  # fmt: skip
        config = change(config, key, n)
    models = read_models(sheet(), ROOT)

    def planned(stage, model="sd1", config=config):
        return planned_prompts(config, models, stage, model)

    assert [planned(s) for s in ("whitebox", "blackbox", "detectors", "postfilter")] == [
        1000,
        300,
        300,
        300,
    ]
    assert planned("labels", "sd1") == 3 * 40  # by DCS, ECS and cliques
    assert planned("labels", "if") == 70
    assert planned("labels", "openjourney") == 2 * 3 * 40  # all that may be found in sd1 and sd2
    few = change(config, "dedup.n_prompts", 100)
    assert planned("labels", "openjourney", few) == planned("blackbox", config=few) == 100
    planted = config["world"]["planted"]
    held_out = sum(planted["held_out"].values())
    world = change(config, "inputs.extra_prompts", "world")
    assert planned("labels", "if", world) == 70 + held_out


def test_a_users_own_prompts_are_planned_for_by_the_lines_of_their_file(config, tmp_path):
    n, planted = config["dedup"]["n_prompts"], config["world"]["planted"]
    held_out = sum(planted["held_out"].values())
    (tmp_path / "mine.csv").write_text("caption\na cat\na dog\n")
    pd.DataFrame({"caption": ["a", "b"]}).to_parquet(tmp_path / "mine.parquet")
    (tmp_path / "broken.parquet").write_text("no")
    for name, extra in (("mine.csv", 3), ("mine.parquet", 2), ("broken.parquet", 0), ("none", 0)):
        own = change(config, "inputs.extra_prompts", str(tmp_path / name))
        assert planned_prompts(own) == n + held_out + extra, name  # beside the world's
        assert planned_prompts(change(own, "inputs.source", "laion")) == n + extra, name
