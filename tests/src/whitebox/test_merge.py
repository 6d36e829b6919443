"""Means over seeds, and ranks by the preset."""

import numpy as np
import pandas as pd
import pytest

from verbatim.io.records import to_table
from verbatim.whitebox.merge import SCORES, mean_seeds, rank_prompts


def merge_seeds(seeds, preset):
    return rank_prompts([mean_seeds(seeds)], preset)


def seeds_table():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [(p, s) for s in (0, 1, 2) for p in (30, 10, 20)], columns=["prompt_id", "seed"]
    )
    return table.assign(**{name: rng.random(len(table)) for name in SCORES})


@pytest.mark.parametrize("preset", ["reference", "paper"])
def test_scores_are_means_over_seeds_ranked_by_the_preset(preset):
    seeds = seeds_table()
    merged = merge_seeds(seeds, preset)
    to_table("whitebox", merged)
    for line in merged.to_dict("records"):
        own = seeds[seeds["prompt_id"] == line["prompt_id"]]
        for name in SCORES:
            assert line[name] == pytest.approx(sum(own[name]) / 3)
        assert line["dcs"] == line[f"dcs_{preset}"]
        assert (line["n_seeds"], line["preset"]) == (3, preset)
    assert merged["rank"].tolist() == [0, 1, 2]
    assert (merged["dcs"].diff().dropna() <= 0).all()


def test_a_seed_without_a_score_is_not_counted_and_a_prompt_without_any_is_last():
    seeds = seeds_table()
    seeds.loc[seeds["prompt_id"].eq(10), list(SCORES)] = np.nan
    one = seeds["prompt_id"].eq(20) & seeds["seed"].eq(1)
    seeds.loc[one, list(SCORES)] = np.nan
    merged = merge_seeds(seeds, "paper").set_index("prompt_id")
    to_table("whitebox", merged.reset_index())
    assert merged["n_seeds"].to_dict() == {10: 0, 20: 2, 30: 3}
    assert merged["rank"].loc[10] == 2
    assert merged.loc[10, [*SCORES, "dcs"]].isna().all()
    rest = seeds[seeds["prompt_id"].eq(20) & ~one]
    assert merged["dcs_paper"].loc[20] == pytest.approx(sum(rest["dcs_paper"]) / 2)


def test_shards_rank_as_one_table_does():
    seeds = seeds_table()
    shards = [seeds[seeds["prompt_id"].isin(ids)] for ids in ([20], [], [10, 30])]
    merged = rank_prompts([mean_seeds(shard) for shard in shards], "paper")
    pd.testing.assert_frame_equal(merged, merge_seeds(seeds, "paper"))


def test_ties_go_to_the_lower_prompt_id():
    merged = merge_seeds(seeds_table().assign(dcs_reference=1.0), "reference")
    assert merged["prompt_id"].tolist() == [10, 20, 30]


def test_an_unknown_preset_and_a_line_that_stands_twice_are_refused():
    with pytest.raises(ValueError, match=r"whitebox\.preset is 'best'"):
        merge_seeds(seeds_table(), "best")
    twice = pd.concat([seeds_table(), seeds_table().iloc[[4]]])
    with pytest.raises(ValueError, match="prompt_id 10, seed 1 was scored twice"):
        merge_seeds(twice, "reference")


def test_no_prompts_give_an_empty_table():
    assert len(to_table("whitebox", merge_seeds(seeds_table().head(0), "paper"))) == 0
