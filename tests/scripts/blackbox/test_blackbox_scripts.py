"""From the ranks of the white box to scores made of images alone."""

import os
import re
import shutil
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest

from tiny_models import CAPTIONS, overflow_at
from verbatim.blackbox.ecs import score_images, score_prompt
from verbatim.io.image_store import Images
from verbatim.io.images import generation_name, one_step_name
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.io.seals import DamagedError
from verbatim.metrics.edges import EdgePreset
from verbatim.models import checkpoint
from verbatim.models.denoiser import NetworkError

IDS = [prompt_id(caption) for caption in CAPTIONS]
SEEDS = [0, 1, 2]
PRESETS = {
    "reference": {"size": 64, "sobel": "nd", "threshold": 1.5, "agreement": 0.5},
    "paper": {"size": 64, "sobel": "plane", "threshold": 0.375, "agreement": 0.5},
    "world": {"size": 32, "sobel": "nd", "threshold": 0.5, "agreement": 0.5},
}


@pytest.fixture
def selection(run_script, tmp_path):
    """Four prompts by DCS and the one extra prompt, chosen by the script."""
    prompts = pd.DataFrame({"prompt_id": IDS, "caption": CAPTIONS, "row": range(10)})
    prompts = prompts.assign(
        cluster=-1, cluster_size=1, caption_count=1, share_equal_captions=1.0,
        extra=np.arange(10) == 2, rank=range(10),
    )  # fmt: skip
    scores = pd.DataFrame({"prompt_id": IDS, "dcs": np.arange(10.0)[::-1], "rank": range(10)})
    scores = scores.assign(
        dcs_reference=0.0,
        dcs_paper=0.0,
        wen_first_step=0.0,
        guidance_cosine=0.0,
        n_seeds=1,
        preset="paper",
    )
    write_table(tmp_path / "prompts.parquet", "prompts", prompts)
    write_table(tmp_path / "dcs.parquet", "whitebox", scores)
    run_script(
        "blackbox/select_blackbox.py",
        input={"prompts": tmp_path / "prompts.parquet", "scores": tmp_path / "dcs.parquet"},
        output={"selection": tmp_path / "selection.parquet"},
        params={"n_prompts": 4},
        wildcards={"model": "sd1"},
    )
    return tmp_path / "selection.parquet"


def generate(
    run_script, folder, selection, model, part=2, batch=3, guidances=(7.5,), shard="00000", size=100
):
    images, cost = (folder / f"shards/{shard}.{name}.parquet" for name in ("images", "cost"))
    run_script(
        "blackbox/generate_blackbox.py",
        input={"selection": selection, "model": model / "model_index.json"},
        output={"images": images, "cost": cost},
        params={
            "model": {"family": "sd", "source": "train"}, "guidances": guidances, "seeds": SEEDS,
            "batch": batch, "prompts_a_part": part, "prompts_a_shard": size, "last": False,
            "kept": folder / "kept",
        },
        wildcards={"model": "sd1", "shard": shard},
    )  # fmt: skip
    return images


def score(run_script, images):
    scores = images.with_name(images.name.replace(".images", ""))
    run_script(
        "blackbox/compare_edges.py",
        input={"images": images},
        output={"scores": scores},
        params={"seeds": SEEDS, "preset": "world", "presets": PRESETS},
        wildcards={"model": "sd1", "shard": "00000"},
    )
    return scores


def merge(run_script, folder, selection, images):
    run_script(
        "blackbox/score_blackbox.py",
        input={
            "selection": selection,
            "images": images,
            "scores": [score(run_script, path) for path in images],
            "costs": [path.with_name(path.name.replace("images", "cost")) for path in images],
        },
        output={name: folder / f"{name}.parquet" for name in ("images", "scores", "cost")},
        params={"kept": folder / "kept"},
        wildcards={"model": "sd1"},
    )
    return read_table(folder / "scores.parquet", "blackbox")


def test_the_top_prompts_are_selected_and_extra_ones_beside_them(selection):
    table = read_table(selection, "selection")
    assert table["prompt_id"].tolist() == IDS[:5]
    assert table["why"].tolist() == ["dcs", "dcs", "extra", "dcs", "dcs"]


@pytest.mark.slow
def test_images_and_scores_are_the_same_in_any_shards_parts_and_batches(
    run_script, tmp_path, selection, tiny_sd
):
    one = [generate(run_script, tmp_path / "a", selection, tiny_sd, part=100, batch=100)]
    two = [
        generate(run_script, tmp_path / "b", selection, tiny_sd, 2, 1, shard=f"{i:05d}", size=3)
        for i in range(3)  # the last shard is beyond the selection
    ]
    ranked = [
        merge(run_script, tmp_path / x, selection, images) for x, images in (("a", one), ("b", two))
    ]
    costs = [read_table(tmp_path / x / "cost.parquet", "costs").iloc[0] for x in "ab"]
    assert [c["prompts"] for c in costs] == [5, 5]
    assert costs[0]["unet_rows"] == 5 * 3 + 3
    assert costs[1]["unet_rows"] == 5 * 3 + 3 * 3  # the unconditional row again in each part
    assert not list(tmp_path.rglob("*.tmp"))
    with Images(tmp_path / "a/images.parquet") as a, Images(tmp_path / "b/images.parquet") as b:
        names = [generation_name(i, s) for i in IDS[:5] for s in SEEDS]
        assert sorted(a.names()) == sorted(b.names()) == sorted(names)
        for name in names:
            assert np.abs(a.read(name) - b.read(name)).max() <= 1.01 / 255
    assert ranked[0]["rank"].tolist() == list(range(5))
    whole, cut = (table.set_index("prompt_id") for table in ranked)
    assert np.allclose(whole["ecs"], cut.loc[whole.index, "ecs"], atol=1e-3)


@pytest.mark.slow
def test_a_prompt_whose_images_overflow_is_last_and_two_of_five_are_a_broken_network(
    run_script, tmp_path, selection, tiny_sd, monkeypatch
):
    real, bad = checkpoint.load_checkpoint, [CAPTIONS[3]]
    monkeypatch.setattr(
        checkpoint, "load_checkpoint", lambda *a, **k: overflow_at(real(*a, **k), *bad)
    )
    table = merge(
        run_script, tmp_path / "a", selection,
        [generate(run_script, tmp_path / "a", selection, tiny_sd, part=100)],
    )  # fmt: skip
    assert table["n_seeds"].tolist() == [3, 3, 3, 3, 0]
    assert table["prompt_id"].iloc[-1] == IDS[3]
    assert np.isnan(table["ecs"].iloc[-1])
    bad.append(CAPTIONS[0])
    with pytest.raises(NetworkError, match="2 of 5 captions gave no finite number"):
        generate(run_script, tmp_path / "b", selection, tiny_sd, part=100)
    assert not list(tmp_path.glob("b/kept/*/*/prompts.npy"))


def test_a_shard_beyond_the_selection_loads_no_model(run_script, tmp_path, selection):
    images = generate(
        run_script, tmp_path, selection, tmp_path / "no model", shard="00007", size=10
    )
    assert read_table(images, "archives").empty
    assert read_table(score(run_script, images), "blackbox").empty


@pytest.mark.slow
def test_a_shard_that_is_missing_is_named_by_a_prompt(run_script, tmp_path, selection, tiny_sd):
    images = generate(run_script, tmp_path, selection, tiny_sd, size=3)
    with pytest.raises(
        ValueError, match=r"prompt_id \d+ \(2 in all\) is only in one of .*selection"
    ):
        merge(run_script, tmp_path, selection, [images])
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.slow
def test_scores_come_from_the_images_alone_and_record_the_broken_ones(
    run_script, tmp_path, selection, tiny_sd
):
    images = generate(run_script, tmp_path, selection, tiny_sd, part=100)
    whole = merge(run_script, tmp_path, selection, [images]).set_index("prompt_id")
    assert whole["rank"].tolist() == list(range(5))
    assert (whole["n_seeds"] == 3).all()
    assert whole["ecs"].equals(whole["ecs_world"].rename("ecs"))
    (archive,) = tmp_path.rglob("images.zip")
    shutil.copy(archive, tmp_path / "whole.zip")
    with zipfile.ZipFile(tmp_path / "whole.zip") as source, zipfile.ZipFile(archive, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == generation_name(IDS[0], 1):
                data = data[:100]
            if name.startswith(f"{IDS[1]}_"):
                continue
            target.writestr(name, data)
    found = read_table(score(run_script, images), "blackbox").set_index("prompt_id")
    log = (tmp_path / "job.log").read_text()
    assert f"{generation_name(IDS[0], 1)} is not used" in log
    assert found.loc[IDS[0], "n_seeds"] == 2
    assert found.loc[IDS[1], "n_seeds"] == 0
    assert np.isnan(found.loc[IDS[1], "ecs"])
    found = merge(run_script, tmp_path, selection, [images]).set_index("prompt_id")
    assert found.loc[IDS[1], "rank"] == 4
    rest = [
        "ecs_reference", "ecs_paper", "ecs_world", "seed_consistency", "seed_ssim", "n_seeds",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(found.loc[IDS[2:5], rest], whole.loc[IDS[2:5], rest])


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "lost"])
def test_a_damaged_archive_ends_the_job_and_the_command_it_names_makes_its_prompts_anew(
    run_script, tmp_path, selection, tiny_sd, damage
):
    """Never: scores of the other prompts alone, and all checks ok."""
    images = generate(run_script, tmp_path, selection, tiny_sd)
    whole = merge(run_script, tmp_path, selection, [images])
    archive = sorted(tmp_path.rglob("images.zip"))[1]
    others = {path: path.stat().st_ino for path in tmp_path.rglob("images.zip") if path != archive}
    if damage == "cut":
        os.truncate(archive, archive.stat().st_size // 2)
    else:
        archive.unlink()
    with pytest.raises(DamagedError) as caught:
        score(run_script, images)
    assert str(archive) in str(caught.value)
    command = re.search("run `(rm -rf .*)` and the same command", str(caught.value))
    assert command
    subprocess.run(command[1], shell=True, check=True)
    assert not images.exists()  # so the shard's job is run again
    generate(run_script, tmp_path, selection, tiny_sd)
    assert {path: path.stat().st_ino for path in others} == others  # the other parts are kept
    pd.testing.assert_frame_equal(merge(run_script, tmp_path, selection, [images]), whole)


@pytest.mark.slow
def test_each_preset_judges_the_images_of_its_own_guidance(
    run_script, tmp_path, selection, tiny_sd
):
    images = generate(run_script, tmp_path, selection, tiny_sd, guidances=(7.5, 1.0))
    with Images(images) as archive:
        assert len(archive.names()) == 2 * 5 * len(SEEDS)
        strong, plain = (
            [archive.read(one_step_name(IDS[0], seed, g, 7.5)) for seed in SEEDS]
            for g in (7.5, 1.0)
        )
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(strong, plain, strict=True))
    presets = {
        "world": EdgePreset(32, "nd", 0.5, 0.5, 7.5),
        "paper": EdgePreset(32, "nd", 0.5, 0.5, 1.0),
    }
    line = score_prompt({7.5: strong, 1.0: plain}, presets, "world")
    alone = {g: score_images(p, presets, "world") for g, p in ((7.5, strong), (1.0, plain))}
    assert line["ecs_world"] == line["ecs"] == alone[7.5]["ecs_world"]
    assert line["ecs_paper"] == alone[1.0]["ecs_paper"]
    assert line["seed_consistency"] == alone[7.5]["seed_consistency"]
    assert np.isnan(line["ecs_reference"])
