"""Which prompts mitigations are tested on."""

import pandas as pd
import pytest

from verbatim.tables.mitigated_prompts import select_prompts

COUNTS = {"memorized": 6, "once": 4, "never": 5, "reference": 10}


def truth(full=8, single=40, held_out=9):
    rows, number = [], 0
    for kind, count, copies in (
        ("full", full, 3),
        ("single", single, 1),
        ("held_out", held_out, 1),
        ("template", 4, 1),
    ):
        for _ in range(count):
            for copy in range(copies):
                row = -1 if kind == "held_out" else len(rows)
                rows.append((row, number, f"{kind} {number}", kind, copies, copy, "", "", "", -1))
            number += 1
    columns = [
        "row",
        "image_id",
        "caption",
        "kind",
        "count",
        "copy",
        "distortion",
        "group",
        "family",
        "match",
    ]
    return pd.DataFrame(rows, columns=columns)


def test_every_group_has_prompts_of_its_kind_and_no_prompt_is_there_twice():
    table = select_prompts(truth(), COUNTS, 4, 0)
    assert table.groupby("group").size().to_dict() == COUNTS
    kinds = table["caption"].str.split().str[0]
    assert set(zip(table["group"], kinds, strict=True)) == {
        ("memorized", "full"), ("once", "single"), ("never", "held_out"), ("reference", "single"),
    }  # fmt: skip
    assert table["prompt_id"].is_unique
    assert table["image_id"].is_unique


def test_half_of_the_memorized_prompts_are_known_and_half_of_these_are_attacked():
    table = select_prompts(truth(), COUNTS, 4, 0)
    memorized = table[table["group"].eq("memorized")]
    assert memorized["known"].sum() == 3
    assert memorized.groupby("known")["searched"].sum().tolist() == [2, 2]
    assert table.groupby("group")["searched"].sum().to_dict() == {
        "memorized": 4,
        "once": 2,
        "never": 2,
        "reference": 0,
    }
    assert not table.loc[table["group"].isin(["once", "never"]), "known"].any()


def test_the_seed_decides_the_choice():
    first = select_prompts(truth(), COUNTS, 4, 0)
    pd.testing.assert_frame_equal(first, select_prompts(truth(), COUNTS, 4, 0))
    assert set(first["prompt_id"]) != set(select_prompts(truth(), COUNTS, 4, 1)["prompt_id"])


def test_a_small_world_gives_fewer_and_an_empty_group_is_an_error():
    assert len(select_prompts(truth(full=2), COUNTS, 4, 0).query("group == 'memorized'")) == 2
    with pytest.raises(ValueError, match="no prompt left of kind held_out for mitigation"):
        select_prompts(truth(held_out=0), COUNTS, 4, 0)
