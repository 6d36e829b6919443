"""The plan of a run's costs; that it is what a run spends is shown in tests/workflow/test_paper.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from benchmarks.cost_plan import count_parts, plan_costs, rows_a_image
from overlays import overlay

from verbatim.config.sheet import read_models

ROOT = Path(__file__).resolve().parents[2]


def test_a_heun_step_is_two_evaluations_but_for_the_last_and_guidance_doubles():
    assert rows_a_image("heun", 16, 7.5) == 62
    assert rows_a_image("heun", 1, 7.5) == 2
    assert rows_a_image("heun", 16, 1.0) == 31
    assert rows_a_image("euler", 16, 7.5) == 32
    assert rows_a_image("ddim", 50, 0.0) == 50


def test_parts_are_counted_as_they_are_cut():
    def naive(n, a_shard, a_part):
        shards = [min(a_shard, n - start) for start in range(0, n, a_shard)]
        return sum(len(range(0, size, a_part)) for size in shards)

    for n in (0, 1, 40, 45, 60):
        for a_shard, a_part in ((20, 15), (20, 20), (20, 7), (100, 10)):
            assert count_parts(n, a_shard, a_part) == naive(n, a_shard, a_part)


@pytest.fixture
def plan():
    load = [
        yaml.safe_load((ROOT / "config" / f).read_text()) for f in ("config.yaml", "paper.yaml")
    ]
    config = overlay(*load)
    sheet = read_models(ROOT / config["models"], ROOT)
    return plan_costs(config, sheet, {"sd1": 153, "sd2": 25}).set_index(["stage", "model"])


def test_the_papers_run_by_hand(plan):
    rows = plan["unet_rows"]
    # one row a prompt, and one without a caption in each part of 5,000
    assert rows["whitebox", "sd1"] == 2_000_000 + 400
    # four seeds; and one row without a caption a seed and part of 500 prompts
    assert rows["blackbox", "sd1"] == 4 * (30_000 + 60)
    assert rows["blackbox_presets", "sd1"] == 4 * 30_000
    assert rows["postfilter", "sd2"] == 500 * 500 * 62
    assert rows["labels", "sd1"] == 3 * 500 * 4 * 62
    assert rows["labels", "if"] == 500 * 4 * 62
    assert rows["labels_upscaler", "if"] == 500 * 4 * 50 * 2
    assert rows["labels", "openjourney"] == (153 + 25) * 4 * 62
    assert plan.loc[("whitebox", "sd1"), "jobs"] == 40


def test_a_closed_system_and_models_that_are_not_attacked_cost_no_search(plan):
    assert "midjourney" not in plan.index.get_level_values("model")
    attacked = plan[~plan.index.get_level_values("stage").str.startswith("labels")]
    assert set(attacked.index.get_level_values("model")) == {"sd1", "sd2"}
