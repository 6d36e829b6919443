"""Shards of detectors, and their merging."""

import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_truth

from tiny_models import CAPTIONS, overflow_at
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.models import checkpoint
from verbatim.models.denoiser import NetworkError

PARAMS = {
    "model": {"family": "sd", "source": "train"}, "scores": ["wen_ddim_2", "dsm_01", "sharpness"],
    "seeds": [0, 4], "steps": 6, "guidance": 7.5, "anisotropy": {"epsilon": [1, 2], "v_prediction": [1, 0.1]},
    "batch": 4, "gradient_batch": 2,
}  # fmt: skip


@pytest.fixture
def selection(tmp_path):
    table = pd.DataFrame(
        {"prompt_id": [prompt_id(c) for c in CAPTIONS], "caption": CAPTIONS, "row": range(len(CAPTIONS)),
         "extra": False, "why": "dcs"}
    )  # fmt: skip
    write_table(tmp_path / "selection.parquet", "selection", table)
    return tmp_path / "selection.parquet"


def score(run_script, folder, selection, weights, shard, size, last=False, **changes):
    scores, cost = (folder / f"{shard}{suffix}.parquet" for suffix in ("", ".cost"))
    run_script(
        "detectors/denoise_detectors.py",
        input={"selection": selection, "model": weights / "model_index.json"},
        output={"scores": scores, "cost": cost},
        params=PARAMS
        | {"prompts_a_shard": size, "prompts_a_part": 3, "last": last, "kept": folder / "kept"}
        | changes,
        wildcards={"model": "sd1", "shard": shard},
    )
    return scores, read_table(cost, "costs")


def merge(run_script, folder, selection, shards):
    run_script(
        "detectors/merge_detectors.py",
        input={
            "selection": selection,
            "scores": shards,
            "costs": [shard.with_suffix(".cost.parquet") for shard in shards],
        },
        output={name: folder / f"{name}.parquet" for name in ("seeds", "scores", "cost")},
        params={"seeds": PARAMS["seeds"], "steps": PARAMS["steps"], "kept": folder / "kept"},
        wildcards={"model": "sd1"},
    )
    return read_table(folder / "scores.parquet", "detector_scores")


@pytest.mark.slow
def test_shards_give_the_same_scores_as_one_and_say_what_each_costs(
    run_script, tmp_path, selection, tiny_sd
):
    whole, cost = score(run_script, tmp_path / "whole", selection, tiny_sd, "00000", 100)
    assert cost["stage"].tolist() == ["detectors", "detectors_derivatives"]
    # two steps of both halves and two products; four parts, each with the empty prompt of two seeds
    assert cost["unet_rows"].tolist() == [10 * 2 * (1 + 2 + 2) + 4 * 2, 10 * 2 * 2]
    parts = [
        score(run_script, tmp_path / "parts", selection, tiny_sd, f"{i:05d}", 7, last=i == 1)[0]
        for i in range(2)
    ]
    one = merge(run_script, tmp_path / "whole", selection, [whole])
    many = merge(run_script, tmp_path / "parts", selection, parts)
    assert len(one) == 3 * len(CAPTIONS)
    assert one[["prompt_id", "score"]].equals(many[["prompt_id", "score"]])
    np.testing.assert_allclose(one["value"], many["value"], rtol=1e-4)
    said = one.drop_duplicates("score").set_index("score")
    assert said["unet_rows"].to_dict() == {"wen_ddim_2": 6, "dsm_01": 4, "sharpness": 6}
    assert said["derivatives"].to_dict() == {"wen_ddim_2": 0, "dsm_01": 0, "sharpness": 4}
    assert one["n_seeds"].eq(2).all()


@pytest.mark.slow
def test_a_score_that_the_family_does_not_have_is_left_out_and_named(
    run_script, tmp_path, selection, tiny_if
):
    shards = [
        score(
            run_script, tmp_path, selection, tiny_if, "00000", 100,
            model={"family": "if", "source": "train"}, scores=["wen_ddim_1", "bright_ending"],
        )[0]
    ]  # fmt: skip
    text = (tmp_path / "job.log").read_text()
    assert "bright_ending is not defined for the family if and is left out: it reads" in text
    assert set(merge(run_script, tmp_path, selection, shards)["score"]) == {"wen_ddim_1"}


def test_a_model_that_has_none_of_the_scores_gets_an_empty_table_and_is_not_loaded(
    run_script, tmp_path, selection
):
    how = {"model": {"family": "flow", "source": "train"}, "scores": ["wen"]}
    shard, cost = score(run_script, tmp_path, selection, tmp_path / "none", "00000", 100, **how)
    assert cost["unet_rows"].tolist() == [0]
    assert len(merge(run_script, tmp_path, selection, [shard])) == 0


def attribute(run_script, folder, model, labels, family):
    path = folder / "labels.parquet"
    write_table(path, "labels", labels)
    run_script(
        "detectors/denoise_tokens.py",
        input={"labels": path, "model": model / "model_index.json"},
        output={"tokens": folder / "tokens.parquet"},
        params={"model": {"family": family, "source": "train"}, "seeds": [0], "steps": 6, "gradient_batch": 4},
        wildcards={"model": "sd1"},
    )  # fmt: skip
    return read_table(folder / "tokens.parquet", "detector_tokens")


def test_the_tokens_of_copied_prompts_alone_are_attributed(run_script, tmp_path, tiny_sd, tiny_if):
    labels = make_labels(make_truth(), {}).head(4)
    labels["caption"], labels["label"] = CAPTIONS[:4], ["MV", "N", "TV", "N"]
    table = attribute(run_script, tmp_path, tiny_sd, labels, "sd")
    assert set(table["prompt_id"]) == set(labels["prompt_id"].iloc[[0, 2]])
    assert table["gradient"].gt(0).all()
    first = table[table["prompt_id"].eq(labels["prompt_id"].iloc[0])]
    assert first["position"].tolist() == list(range(len(first)))
    assert first["word"].drop_duplicates().tolist() == CAPTIONS[0].split()
    assert attribute(run_script, tmp_path, tiny_if, labels, "if").empty
    assert "not for if" in (tmp_path / "job.log").read_text()


def overflow_when_loaded(monkeypatch, *captions):
    real = checkpoint.load_checkpoint
    monkeypatch.setattr(
        checkpoint, "load_checkpoint", lambda *a, **k: overflow_at(real(*a, **k), *captions)
    )


@pytest.mark.slow
def test_one_prompt_that_overflows_has_no_score_and_many_end_the_job(
    run_script, tmp_path, selection, tiny_sd, monkeypatch
):
    overflow_when_loaded(monkeypatch, CAPTIONS[2])
    shard, _ = score(run_script, tmp_path, selection, tiny_sd, "00000", 100)
    assert "1 of 10 prompts lack a finite score" in (tmp_path / "job.log").read_text()
    table = merge(run_script, tmp_path, selection, [shard])
    lacks = table[table["value"].isna()]
    assert set(lacks["prompt_id"]) == {prompt_id(CAPTIONS[2])}
    assert lacks["n_seeds"].eq(0).all()
    overflow_when_loaded(monkeypatch, *CAPTIONS[:3])
    with pytest.raises(NetworkError, match="the network itself is broken"):
        score(run_script, tmp_path, selection, tiny_sd, "00000", 100, guidance=5.0)


@pytest.mark.slow
def test_scores_of_two_runs_are_not_mixed(run_script, tmp_path, selection, tiny_sd):
    shard, _ = score(run_script, tmp_path, selection, tiny_sd, "00000", 100)
    with pytest.raises(ValueError, match=r"prompt_id \d+, seed 0: wen_ddim_2 was computed twice"):
        merge(run_script, tmp_path, selection, [shard, shard])
