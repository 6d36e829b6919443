"""What an audit costs, said before it starts."""

from __future__ import annotations

import pandas as pd

from verbatim.audit.audit_costs import describe_minutes, describe_plan, plan_prompts
from verbatim.config.audits import rows_a_generation
from verbatim.io.keys import prompt_id
from verbatim.io.records import to_table


def test_rows_of_a_generation_are_those_of_the_sampler():
    assert rows_a_generation("euler", 8, 3.0) == 16
    assert rows_a_generation("heun", 8, 7.5) == 30
    assert rows_a_generation("ddim", 50, 1.0) == 50


def planned(captions, reference, least):
    ids = [prompt_id(caption) for caption in captions]
    images = pd.DataFrame({"prompt_id": ids, "caption": captions, "status": "ok"})
    table = plan_prompts(images, reference, least)
    to_table("selection", table)
    return table


def test_a_caption_is_asked_once_and_few_are_filled_up_with_reference_captions():
    table = planned(["a", "b", "a"], ["r1", "b", "r2", "r3"], 4)
    assert table["caption"].tolist() == ["a", "b", "r1", "r2"]
    assert table["extra"].tolist() == [False, False, True, True]
    assert planned(["a", "b", "c"], ["r1"], 3)["extra"].sum() == 0


def test_ten_thousand_images_are_planned_and_their_cost_is_said():
    table = planned([f"caption {i}" for i in range(10_000)], ["r"], 60)
    said = describe_plan(table, 10, 16, [0, 1, 2, 3])
    assert "100,000 generations of 10,000 captions" in said
    assert f"{100_000 * 16 + 4 * 10_000 + 4:,} network rows" in said


def test_minutes_are_those_of_the_measured_speed():
    assert "about 10.0 minutes at 100 rows a second" in describe_minutes(1000, 10.0, 60_000)
    assert "not measured" in describe_minutes(0, 0.0, 60_000)
