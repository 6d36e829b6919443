"""Shards of white-box scores, and their merging."""

import pandas as pd
import pytest

from tiny_models import CAPTIONS, overflow_at
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.models import checkpoint
from verbatim.models.denoiser import NetworkError
from verbatim.whitebox import dcs

PARAMS = {
    "model": {"family": "sd", "source": "train"},
    "guidance": 7.5,
    "seeds": [0, 4],
    "batch": 4,
}


@pytest.fixture
def prompts(tmp_path):
    return write_prompts(tmp_path, CAPTIONS[::-1])


def write_prompts(folder, captions):
    """A table of these prompts, the first of rank 0; its lines in another order."""
    table = pd.DataFrame({"caption": captions, "row": range(len(captions))})
    table = table.assign(
        prompt_id=[prompt_id(c) for c in captions], cluster=-1, cluster_size=1, caption_count=1,
        share_equal_captions=1.0, extra=False, rank=range(len(captions)),
    )  # fmt: skip
    write_table(folder / "prompts.parquet", "prompts", table[::-1])
    return folder / "prompts.parquet"


def score(run_script, folder, prompts, model, shard, size, last=False, part=100, **changes):
    scores, cost = (folder / f"{shard}{suffix}.parquet" for suffix in ("", ".cost"))
    run_script(
        "whitebox/denoise_whitebox.py",
        input={"prompts": prompts, "model": model / "model_index.json"},
        output={"scores": scores, "cost": cost},
        params=PARAMS
        | {"prompts_a_shard": size, "prompts_a_part": part, "last": last, "kept": folder / "kept"}
        | changes,
        wildcards={"model": "sd1", "shard": shard},
    )
    return scores, read_table(cost, "costs").iloc[0]


def merge(run_script, folder, prompts, shards, preset="reference"):
    run_script(
        "whitebox/score_whitebox.py",
        input={
            "prompts": prompts,
            "scores": shards,
            "costs": [shard.with_suffix(".cost.parquet") for shard in shards],
        },
        output={name: folder / f"{name}.parquet" for name in ("seeds", "scores", "cost")},
        params={"preset": preset, "kept": folder / "kept"},
        wildcards={"model": "sd1"},
    )
    return read_table(folder / "scores.parquet", "whitebox")


@pytest.mark.slow
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
    for name in ("dcs", "dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine"):
        assert both[name].to_numpy() == pytest.approx(both[f"{name}_parts"].to_numpy(), rel=1e-4)
    assert len(read_table(tmp_path / "parts/seeds.parquet", "whitebox_seeds")) == 20
    costs = read_table(tmp_path / "parts/cost.parquet", "costs").iloc[0]
    assert (costs["prompts"], costs["unet_rows"]) == (10, 24)


@pytest.mark.slow
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


@pytest.fixture
def spent(monkeypatch):
    """Every denoiser that a script loads, to count what is really asked of a network."""
    real, loaded = checkpoint.load_checkpoint, []

    def loading(*args, **options):
        loaded.append(real(*args, **options))
        return loaded[-1]

    monkeypatch.setattr(checkpoint, "load_checkpoint", loading)
    return lambda: sum(denoiser.rows for denoiser in loaded)


@pytest.mark.slow
def test_a_longer_list_costs_the_new_prompts_alone(run_script, tmp_path, tiny_sd, spent):
    """Those that were scored stand in other shards now, as new ones have come before them."""

    def run(captions, **changes):
        prompts, before = write_prompts(tmp_path, captions), spent()
        paths = [
            score(run_script, tmp_path, prompts, tiny_sd, f"{i:05d}", 4, **changes)[0]
            for i in range(3)
        ]
        return merge(run_script, tmp_path, prompts, paths), spent() - before

    first, rows = run(CAPTIONS[:6])
    assert rows == 6 * 2 + 2 * 2  # two shards with prompts, and no prompt's row of each seed
    longer = [CAPTIONS[8], *CAPTIONS[:3], CAPTIONS[7], *CAPTIONS[3:6]]
    second, rows = run(longer)
    assert rows == 2 * 2 + 2 * 2
    both = first.set_index("prompt_id").join(second.set_index("prompt_id"), rsuffix="_2")
    assert (both["dcs"] == both["dcs_2"]).all()
    assert len(second) == 8
    assert run(longer[2:])[1] == run(longer)[1] == 0  # what is asked for no more is still there
    assert run(longer, batch=1)[1] == 0  # how the work is cut up changes no number
    assert run(longer, guidance=5.0)[1] == 8 * 2 + 2 * 2
    # the table of the guidance before is gone, and so is what was kept of it
    assert run(longer)[1] == 8 * 2 + 2 * 2


@pytest.mark.slow
def test_a_killed_job_loses_the_part_that_it_was_at(
    run_script, tmp_path, prompts, tiny_sd, spent, monkeypatch
):
    real = dcs.score_captions

    def killed(denoiser, captions, *rest):
        if captions[0] == CAPTIONS[::-1][4]:
            raise KeyboardInterrupt
        return real(denoiser, captions, *rest)

    monkeypatch.setattr(dcs, "score_captions", killed)
    with pytest.raises(KeyboardInterrupt):
        score(run_script, tmp_path, prompts, tiny_sd, "00000", 10, part=2)
    assert not (tmp_path / "00000.parquet").exists()
    monkeypatch.setattr(dcs, "score_captions", real)
    before = spent()
    _, cost = score(run_script, tmp_path, prompts, tiny_sd, "00000", 10, part=3)
    assert spent() - before == 6 * 2 + 2 * 2
    assert cost["unet_rows"] == spent()  # what the killed job spent on finished parts counts


def overflow_when_loaded(monkeypatch, *captions):
    real = checkpoint.load_checkpoint
    monkeypatch.setattr(
        checkpoint, "load_checkpoint", lambda *a, **k: overflow_at(real(*a, **k), *captions)
    )


@pytest.mark.slow
def test_one_caption_that_overflows_is_last_and_ends_no_shard(
    run_script, tmp_path, prompts, tiny_sd, monkeypatch
):
    overflow_when_loaded(monkeypatch, CAPTIONS[6])
    path, _ = score(run_script, tmp_path, prompts, tiny_sd, "00000", 10, part=3)
    assert f"1 of 10 captions gave no finite number; they have no score with that seed, and are last without any: [{CAPTIONS[6]!r}]" in (tmp_path / "job.log").read_text()  # fmt: skip
    table = merge(run_script, tmp_path, prompts, [path])
    assert table["dcs"].isna().tolist() == [False] * 9 + [True]
    assert table.iloc[-1][["prompt_id", "n_seeds"]].tolist() == [prompt_id(CAPTIONS[6]), 0]


@pytest.mark.slow
def test_a_network_that_overflows_often_is_told_and_its_numbers_are_not_kept(
    run_script, tmp_path, prompts, tiny_sd, monkeypatch
):
    overflow_when_loaded(monkeypatch, *CAPTIONS[5:8])
    with pytest.raises(NetworkError, match=r"of 10 captions .* the network itself is broken"):
        score(run_script, tmp_path, prompts, tiny_sd, "00000", 10, part=3)
    assert not (tmp_path / "00000.parquet").exists()
    assert len(list(tmp_path.glob("kept/*/*/prompts.npy"))) <= 1
