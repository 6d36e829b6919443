"""Rule filter_prompts on a tiny model with random weights."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tiny_models import CAPTIONS, make_sd
from verbatim.io.image_store import Images
from verbatim.io.images import generation_name
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.models import stacks
from verbatim.postfilter.cliques import search_clique
from verbatim.postfilter.tiles import pair_distances

THRESHOLDS = {"tiles": 2, "edge": 0.05, "clique": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_sd(tmp_path_factory.mktemp("model"), size=16)


def run(folder, model, run_script, n=5, size=100, **changes):
    folder.mkdir(exist_ok=True)
    captions = CAPTIONS[:n]
    selection = pd.DataFrame(
        {
            "prompt_id": pd.Series([prompt_id(c) for c in captions], dtype="int64"),
            "caption": pd.Series(captions, dtype=str), "row": range(n), "extra": False, "why": "ecs",
        }
    )  # fmt: skip
    write_table(folder / "selection.parquet", "selection", selection)
    params = {
        "model": {"family": "sd", "source": "train"}, "upscaler": {}, "preset": "tiny", "thresholds": THRESHOLDS,
        "n_images": 6, "first_round": 2, "stop_early": True, "futility": 0.0, "max_nodes": 1000,
        "prompts_a_part": 2, "sampler": "heun", "spacing": "karras", "steps": 1, "guidance": 2.0, "batch": 3,
    }  # fmt: skip
    params |= {"kept": folder / "kept", "prompts_a_shard": size}
    shards = [f"{i:05d}" for i in range(max(1, -(-n // size)))]
    named = {"images": ".images.parquet", "scores": ".parquet", "cost": ".cost.parquet"}
    made = {
        name: [folder / f"shards/{shard}{suffix}" for shard in shards]
        for name, suffix in named.items()
    }
    for i, shard in enumerate(shards):
        run_script(
            "postfilter/filter_prompts.py",
            input={"selection": folder / "selection.parquet", "model": model / "model_index.json"},
            output={name: paths[i] for name, paths in made.items()},
            params=params | {"last": shard == shards[-1]} | changes,
            wildcards={"model": "tiny", "shard": shard},
        )
    out = {name: folder / f"{name}.parquet" for name in named}
    run_script(
        "postfilter/score_postfilter.py",
        input={
            "selection": folder / "selection.parquet", "images": made["images"],
            "scores": made["scores"], "costs": made["cost"],
        },
        output=out,
        params={"kept": folder / "kept"},
        wildcards={"model": "tiny"},
    )  # fmt: skip
    return (
        read_table(out["scores"], "postfilter"),
        read_table(out["cost"], "costs").iloc[0],
        out["images"],
    )


def contents(archive):
    with Images(archive) as images:
        return {name: images.read_bytes(name) for name in images.names()}


@pytest.mark.slow
def test_scores_and_costs_are_those_of_the_images_in_the_archive(tmp_path, model, run_script):
    scores, cost, archive = run(tmp_path, model, run_script)
    assert scores["prompt_id"].tolist() == [prompt_id(c) for c in CAPTIONS[:5]]
    assert sorted(scores["rank"]) == [0, 1, 2, 3, 4]
    with Images(archive) as images:
        assert len(images.names()) == scores["n_images"].sum()
        for score in scores.to_dict("records"):
            names = [generation_name(score["prompt_id"], seed) for seed in range(score["n_images"])]
            stack = np.stack([np.rint(images.read(name) * 255).astype(np.uint8) for name in names])
            distances = pair_distances(stack, 2)
            assert score["clique_size"] == len(search_clique(distances < 0.05).members)
            assert score["mean_distance"] == distances[np.triu_indices(len(stack), 1)].mean()
    # one step, guided: two network rows an image
    assert cost["unet_rows"] == scores["unet_rows"].sum() == 2 * scores["n_images"].sum()
    assert (cost["stage"], cost["model"], cost["prompts"]) == ("postfilter", "tiny", 5)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_stopping_early_decides_the_same_with_fewer_images(tmp_path, model, run_script):
    # an edge at which some of this model's prompts are kept and some are not
    full, _, archive = run(tmp_path / "all", model, run_script, stop_early=False)
    with Images(archive) as images:
        needed = []  # the least edge at which each prompt has a clique of three
        for key in full["prompt_id"]:
            members = [images.read(generation_name(key, seed)) for seed in range(6)]
            d = pair_distances(np.rint(np.stack(members) * 255).astype(np.uint8), 2)
            needed.append(
                min(max(d[i, j], d[i, k], d[j, k]) for i, j, k in combinations(range(6), 3))
            )
    middle = {"thresholds": THRESHOLDS | {"edge": float(np.median(needed))}}
    full, dear, _ = run(tmp_path / "full", model, run_script, stop_early=False, **middle)
    early, cheap, _ = run(tmp_path / "early", model, run_script, **middle)
    assert full["kept"].tolist() == [edge < np.median(needed) for edge in needed]
    assert early["kept"].tolist() == full["kept"].tolist()
    assert early["certain"].all()
    assert cheap["unet_rows"] < dear["unet_rows"] == 2 * 5 * 6


@pytest.mark.slow
def test_a_killed_job_goes_on_where_it_was_and_ends_with_the_same(
    tmp_path, model, run_script, monkeypatch
):
    whole, whole_cost, whole_archive = run(tmp_path / "whole", model, run_script)
    real, calls = stacks.generate_stack, []

    def killed(denoiser, captions, seeds, **sampling):
        calls.append(list(captions))
        if len({tuple(c) for c in calls if len(c) == 2}) == 2:
            raise KeyboardInterrupt  # in the second part
        return real(denoiser, captions, seeds, **sampling)

    monkeypatch.setattr(stacks, "generate_stack", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", model, run_script)
    assert len(list(tmp_path.glob("killed/kept/*/*/prompts.npy"))) == 1
    assert not list((tmp_path / "killed").glob("shards/*"))

    again = []
    monkeypatch.setattr(
        stacks, "generate_stack", lambda d, c, s, **k: again.append(c) or real(d, c, s, **k)
    )
    scores, cost, archive = run(tmp_path / "killed", model, run_script)
    assert all(caption not in CAPTIONS[:2] for captions in again for caption in captions)
    pd.testing.assert_frame_equal(scores, whole)
    assert contents(archive) == contents(whole_archive)
    assert cost["unet_rows"] == whole_cost["unet_rows"]


@pytest.mark.slow
def test_a_longer_list_makes_the_new_prompts_alone_and_other_settings_all(
    tmp_path, model, run_script, monkeypatch
):
    first, cost, _ = run(tmp_path, model, run_script, n=3, size=2)
    real, made = stacks.generate_stack, []
    monkeypatch.setattr(
        stacks, "generate_stack", lambda d, c, s, **k: made.append(c) or real(d, c, s, **k)
    )
    longer, dearer, _ = run(tmp_path, model, run_script, n=5, size=3)
    assert {caption for captions in made for caption in captions} == set(CAPTIONS[3:5])
    pd.testing.assert_frame_equal(longer.iloc[:3].drop(columns="rank"), first.drop(columns="rank"))
    assert dearer["unet_rows"] == longer["unet_rows"].sum() > cost["unet_rows"]
    made.clear()
    run(tmp_path, model, run_script, n=5, guidance=1.0)
    assert {caption for captions in made for caption in captions} == set(CAPTIONS[:5])


@pytest.mark.slow
def test_results_do_not_depend_on_the_size_of_shards_parts_and_batches(tmp_path, model, run_script):
    one, _, _ = run(tmp_path / "one", model, run_script, prompts_a_part=5, batch=30)
    two, _, _ = run(tmp_path / "two", model, run_script, prompts_a_part=2, batch=3, size=3)
    assert one["prompt_id"].tolist() == two["prompt_id"].tolist()
    assert one["rank"].tolist() == two["rank"].tolist()
    assert one["clique_size"].tolist() == two["clique_size"].tolist()
    # a byte may round the other way where floats differ by 1e-6
    assert np.allclose(one["mean_distance"], two["mean_distance"], rtol=1e-3)


def test_no_prompt_makes_empty_tables_without_loading_the_model(tmp_path, run_script):
    scores, cost, archive = run(tmp_path, tmp_path / "nowhere", run_script, n=0)
    assert scores.empty
    assert cost["prompts"] == cost["unet_rows"] == 0
    assert contents(archive) == {}
