"""Shards of white-box scores, and their merging."""

import pandas as pd
import pytest

from tiny_models import CAPTIONS
from verbatim.records import prompt_id, read_table, write_table

PARAMS = {
    "model": {"family": "sd", "source": "train"},
    "guidance": 7.5,
    "seeds": [0, 4],
    "batch": 4,
}


@pytest.fixture
def prompts(tmp_path):
    table = pd.DataFrame({"caption": CAPTIONS, "row": range(len(CAPTIONS))})
    table = table.assign(
        prompt_id=[prompt_id(c) for c in CAPTIONS], cluster=-1, cluster_size=1, caption_count=1,
        share_equal_captions=1.0, extra=False, rank=range(len(CAPTIONS))[::-1],
    )  # fmt: skip
    write_table(tmp_path / "prompts.parquet", "prompts", table)
    return tmp_path / "prompts.parquet"


def score(run_script, folder, prompts, model, shard, size, last=False):
    scores, cost = (folder / f"{shard}{suffix}.parquet" for suffix in ("", ".cost"))
    run_script(
        "whitebox/score_whitebox.py",
        input={"prompts": prompts, "model": model / "model_index.json"},
        output={"scores": scores, "cost": cost},
        params=PARAMS | {"prompts_a_shard": size, "last": last},
        wildcards={"model": "sd1", "shard": shard},
    )
    return scores, read_table(cost, "costs").iloc[0]


def merge(run_script, folder, prompts, shards, preset="reference"):
    run_script(
        "whitebox/merge_whitebox.py",
        input={"prompts": prompts, "scores": shards},
        output={"seeds": folder / "seeds.parquet", "scores": folder / "scores.parquet"},
        params={"preset": preset},
        wildcards={"model": "sd1"},
    )
    return read_table(folder / "scores.parquet", "whitebox")


def test_shards_give_the_same_scores_as_one_and_count_their_rows(
    run_script, tmp_path, prompts, tiny_sd
):
    whole, cost = score(run_script, tmp_path / "whole", prompts, tiny_sd, "00000", 100)
    assert (cost["stage"], cost["model"], cost["prompts"]) == ("whitebox", "sd1", 10)
    assert cost["unet_rows"] == 10 * 2 + 2
    parts = [
        score(run_script, tmp_path / "parts", prompts, tiny_sd, f"{i:05d}", 7) for i in range(3)
    ]
    assert [p[1]["prompts"] for p in parts] == [7, 3, 0]
    assert [p[1]["unet_rows"] for p in parts] == [16, 8, 0]
    first = read_table(parts[0][0], "whitebox_seeds")
    assert set(first["prompt_id"]) == {prompt_id(c) for c in CAPTIONS[3:]}  # by rank, not by line
    one = merge(run_script, tmp_path / "whole", prompts, [whole])
    many = merge(run_script, tmp_path / "parts", prompts, [p[0] for p in parts])
    assert one["rank"].tolist() == list(range(10))
    both = one.set_index("prompt_id").join(many.set_index("prompt_id"), rsuffix="_parts")
    for name in ("dcs", "dcs_reference", "dcs_paper", "wen_norm", "anisotropy"):
        assert both[name].to_numpy() == pytest.approx(both[f"{name}_parts"].to_numpy(), rel=1e-4)
    assert len(read_table(tmp_path / "parts/seeds.parquet", "whitebox_seeds")) == 20


def test_the_last_planned_shard_takes_all_prompts_that_are_left(
    run_script, tmp_path, prompts, tiny_sd
):
    """A user's own captions come beside the planned number."""
    shards = [score(run_script, tmp_path, prompts, tiny_sd, "00000", 4)]
    shards += [score(run_script, tmp_path, prompts, tiny_sd, "00001", 4, last=True)]
    assert [cost["prompts"] for _, cost in shards] == [4, 6]
    scores = merge(run_script, tmp_path, prompts, [path for path, _ in shards])
    assert set(scores["prompt_id"]) == {prompt_id(c) for c in CAPTIONS}


def test_a_shard_past_the_end_is_an_empty_table_and_loads_no_model(run_script, tmp_path, prompts):
    scores, cost = score(run_script, tmp_path, prompts, tmp_path / "no model", "00005", 10)
    assert len(read_table(scores, "whitebox_seeds")) == 0
    assert (cost["prompts"], cost["unet_rows"]) == (0, 0)


def test_a_missing_shard_is_refused_by_a_prompt_of_it(run_script, tmp_path, prompts, tiny_sd):
    first, _ = score(run_script, tmp_path, prompts, tiny_sd, "00000", 7)
    with pytest.raises(ValueError, match=r"prompt_id \d+ \(3 in all\)"):
        merge(run_script, tmp_path, prompts, [first])
    assert not (tmp_path / "scores.parquet").exists()
