"""From the ranks of the white box to scores made of pictures alone."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from tiny_models import CAPTIONS
from verbatim.blackbox.ecs import Preset, score_pictures, score_prompt
from verbatim.images import ImageArchive, one_step_name, synthesis_name
from verbatim.records import prompt_id, read_table, write_table

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
        dcs_reference=0.0, dcs_paper=0.0, wen_norm=0.0, anisotropy=0.0, n_seeds=1, preset="paper"
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


def generate(run_script, folder, selection, model, part=2, batch=3, guidances=(7.5,)):
    run_script(
        "blackbox/generate_blackbox.py",
        input={"selection": selection, "model": model / "model_index.json"},
        output={"images": folder / "images.zip", "cost": folder / "cost.parquet"},
        params={
            "model": {"family": "sd", "source": "train"}, "guidances": guidances, "seeds": SEEDS,
            "batch": batch, "prompts_a_part": part,
        },
        wildcards={"model": "sd1"},
    )  # fmt: skip
    return folder / "images.zip"


def score(run_script, folder, selection, images):
    run_script(
        "blackbox/score_blackbox.py",
        input={"selection": selection, "images": images},
        output={"scores": folder / "scores.parquet"},
        params={"seeds": SEEDS, "preset": "world", "presets": PRESETS},
        wildcards={"model": "sd1"},
    )
    return read_table(folder / "scores.parquet", "blackbox")


def test_the_top_prompts_are_selected_and_extra_ones_beside_them(selection):
    table = read_table(selection, "selection")
    assert table["prompt_id"].tolist() == IDS[:5]
    assert table["why"].tolist() == ["dcs", "dcs", "extra", "dcs", "dcs"]


def test_pictures_are_the_same_in_any_parts_and_batches(run_script, tmp_path, selection, tiny_sd):
    one = generate(run_script, tmp_path / "a", selection, tiny_sd, part=100, batch=100)
    two = generate(run_script, tmp_path / "b", selection, tiny_sd, part=2, batch=1)
    costs = [read_table(tmp_path / x / "cost.parquet", "costs").iloc[0] for x in "ab"]
    assert [c["prompts"] for c in costs] == [5, 5]
    assert costs[0]["unet_rows"] == 5 * 3 + 3
    assert costs[1]["unet_rows"] == 5 * 3 + 3 * 3  # the unconditional row again in each part
    assert not list(tmp_path.glob("*/*.parts"))
    with ImageArchive(one) as a, ImageArchive(two) as b:
        names = {synthesis_name(i, s) for i in IDS[:5] for s in SEEDS}
        assert set(a.names()) == set(b.names()) == names
        for name in names:
            assert np.abs(a.read(name) - b.read(name)).max() <= 1.01 / 255


def test_scores_come_from_the_pictures_alone_and_record_the_broken_ones(
    run_script, tmp_path, selection, tiny_sd
):
    images = generate(run_script, tmp_path, selection, tiny_sd)
    whole = score(run_script, tmp_path, selection, images).set_index("prompt_id")
    assert whole["rank"].tolist() == list(range(5))
    assert (whole["n_seeds"] == 3).all()
    assert whole["ecs"].equals(whole["ecs_world"].rename("ecs"))
    hurt = tmp_path / "hurt.zip"
    with zipfile.ZipFile(images) as source, zipfile.ZipFile(hurt, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == synthesis_name(IDS[0], 1):
                data = data[:100]
            if name.startswith(f"{IDS[1]}_"):
                continue
            target.writestr(name, data)
    found = score(run_script, tmp_path, selection, hurt).set_index("prompt_id")
    assert found.loc[IDS[0], "n_seeds"] == 2
    assert found.loc[IDS[1], "n_seeds"] == 0
    assert np.isnan(found.loc[IDS[1], "ecs"])
    assert found.loc[IDS[1], "rank"] == 4
    rest = [
        "ecs_reference", "ecs_paper", "ecs_world", "seed_consistency", "seed_ssim", "n_seeds",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(found.loc[IDS[2:5], rest], whole.loc[IDS[2:5], rest])
    log = (tmp_path / "job.log").read_text()
    assert f"{synthesis_name(IDS[0], 1)} is not used" in log


def test_each_preset_judges_the_pictures_of_its_own_guidance(
    run_script, tmp_path, selection, tiny_sd
):
    images = generate(run_script, tmp_path, selection, tiny_sd, guidances=(7.5, 1.0))
    with ImageArchive(images) as archive:
        assert len(archive.names()) == 2 * 5 * len(SEEDS)
        strong, plain = (
            [archive.read(one_step_name(IDS[0], seed, g, 7.5)) for seed in SEEDS]
            for g in (7.5, 1.0)
        )
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(strong, plain, strict=True))
    presets = {
        "world": Preset(32, "nd", 0.5, 0.5, 7.5),
        "paper": Preset(32, "nd", 0.5, 0.5, 1.0),
    }
    line = score_prompt({7.5: strong, 1.0: plain}, presets, "world")
    alone = {g: score_pictures(p, presets, "world") for g, p in ((7.5, strong), (1.0, plain))}
    assert line["ecs_world"] == line["ecs"] == alone[7.5]["ecs_world"]
    assert line["ecs_paper"] == alone[1.0]["ecs_paper"]
    assert line["seed_consistency"] == alone[7.5]["seed_consistency"]
    assert np.isnan(line["ecs_reference"])
