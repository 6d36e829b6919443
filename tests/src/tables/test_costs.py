import pandas as pd
import pytest
from made_results import make_costs

from verbatim.tables.costs import merge_costs


@pytest.fixture
def table():
    jobs = [("whitebox", "sd1", 100, 104), ("whitebox", "sd1", 50, 54), ("blackbox", "sd1", 20, 160),
            ("labels", "sd1", 20, 1600), ("labels", "if", 0, 0)]  # fmt: skip
    costs = pd.concat([make_costs(*job) for job in jobs])
    return merge_costs(costs, images=500, steps=16).set_index(["stage", "model"])


def test_shards_of_a_stage_add_up(table):
    one = table.loc[("whitebox", "sd1")]
    assert (one["prompts"], one["unet_rows"], one["seconds"]) == (150, 158, 3.0)
    assert one["rows_a_prompt"] == pytest.approx(158 / 150)


def test_full_generations_cost_both_guidance_halves_of_every_step(table):
    one = table.loc[("blackbox", "sd1")]
    assert one["full_generation_rows"] == 20 * 500 * 16 * 2
    assert one["ratio"] == pytest.approx(20 * 500 * 16 * 2 / 160)


def test_finding_prompts_costs_both_stages_for_the_prompts_of_the_first(table):
    one = table.loc[("whitebox+blackbox", "sd1")]
    assert (one["prompts"], one["unet_rows"]) == (150, 318)
    assert one["ratio"] == pytest.approx(150 * 16000 / 318)


def test_a_job_without_prompts_has_no_ratio_and_no_attack_line(table):
    assert pd.isna(table.loc[("labels", "if"), "ratio"])
    assert ("whitebox+blackbox", "if") not in table.index
