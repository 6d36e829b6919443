"""Hub ids are pinned, the CLIP is found in the cache or refused with the command, and lists are there."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_authors import write_labels
from overlays import overlay

from verbatim.config.settings import ConfigError
from verbatim.config.sheet import read_models, select_models
from verbatim.config.sources import check_lists, check_revisions, clip_folder, hub_folder
from verbatim.io.authors import VALUES

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(name: str) -> dict:
    return yaml.safe_load((ROOT / "config" / name).read_text())


@pytest.fixture
def config() -> dict:
    return overlay(load("config.yaml"), load("paper.yaml"))


@pytest.fixture
def sheet(config):
    return read_models(ROOT / config["models"], ROOT)


def test_the_papers_models_are_pinned_but_for_the_one_without_safetensors(config, sheet):
    with pytest.raises(ConfigError) as err:
        check_revisions(config, sheet, sheet)
    assert len(str(err.value).splitlines()) == 1
    for word in ["realisticvision", "has no revision", "git ls-remote", "config/models.paper.tsv"]:
        assert word in str(err.value)
    others = select_models(sheet, [m for m in sheet.index if m != "realisticvision"])
    check_revisions(config, sheet, others)
    sheet.loc["realisticvision", "revision"] = COMMIT
    check_revisions(config, sheet, sheet)


def test_a_branch_is_no_pin_and_a_folder_needs_none(config, sheet, tmp_path, monkeypatch):
    sheet.loc["sd1", "revision"] = "main"
    some = select_models(sheet, ["if"])  # whose prompts come from sd1
    with pytest.raises(ConfigError, match=r"sd1: .* has the revision 'main'"):
        check_revisions(config, sheet, some)
    (tmp_path / sheet.loc["sd1", "source"]).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    check_revisions(config, sheet, some)


def test_a_second_stage_is_pinned_as_its_first(config, sheet):
    some = select_models(sheet, ["if"])
    for said in ("", "main"):
        sheet.loc["if", "upscaler_revision"] = said
        with pytest.raises(ConfigError) as err:
            check_revisions(config, sheet, some)
        assert len(str(err.value).splitlines()) == 1
        upscaler = sheet.loc["if", "upscaler"]
        for word in [
            f"if: {upscaler!r}",
            "upscaler_revision",
            f"https://huggingface.co/{upscaler}",
        ]:
            assert word in str(err.value)


def test_the_clip_is_the_folder_or_the_snapshot_in_the_cache(config, tmp_path):
    for folder in ("world", str(tmp_path), "a/relative/folder", "owner/name"):
        config["inputs"]["clip"] = folder
        assert clip_folder(config) == folder
    config["hub_cache"] = str(tmp_path / "hub")
    config["inputs"]["clip"] = f"owner/name@{COMMIT}"
    with pytest.raises(ConfigError) as err:
        clip_folder(config)
    for word in ["inputs.clip", f"hf download owner/name --revision {COMMIT}", f"{tmp_path}/hub"]:
        assert word in str(err.value)
    snapshot = tmp_path / "hub/models--owner--name/snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    assert clip_folder(config) == str(snapshot)
    config["inputs"]["clip"] = "owner/name@main"
    with pytest.raises(ConfigError, match="40 hexadecimal digits"):
        clip_folder(config)


def test_without_the_key_the_hub_librarys_own_cache_is_meant(config, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", "/some/hub")
    assert hub_folder(config) == Path("/some/hub")
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", "/some/home")
    assert hub_folder(config) == Path("/some/home/hub")
    config["hub_cache"] = "/mine"
    assert hub_folder(config) == Path("/mine")


def test_lists_that_are_not_there_are_named_all_at_once(config, sheet, tmp_path):
    check_lists(config, sheet)
    write_labels(tmp_path / "a.parquet")
    config["dedup"]["prompt_list"] = "none.parquet"
    config["labels"]["authors"] = {"sd1": "gone.parquet", "sd9": str(tmp_path / "a.parquet")}
    sheet.loc["if", "candidates"] = "authors"
    with pytest.raises(ConfigError) as err:
        check_lists(config, sheet)
    lines = str(err.value).splitlines()
    assert len(lines) == 4
    for line, word in zip(
        lines,
        ["dedup.prompt_list", "labels.authors.sd1", "'sd9'", "if has the candidates"],
        strict=True,
    ):
        assert word in line


def test_a_list_that_cannot_be_read_is_refused_before_any_work(config, sheet, tmp_path):
    (tmp_path / "list.csv").write_text("caption,url\na red heart, blue,https://x.invalid/1\n")
    pd.DataFrame({"title": ["a"]}).to_parquet(tmp_path / "extra.parquet")
    write_labels(tmp_path / "labels.parquet", drop="gen_seeds")
    config["dedup"]["prompt_list"] = str(tmp_path / "list.csv")
    config["inputs"]["extra_prompts"] = str(tmp_path / "extra.parquet")
    config["labels"]["authors"] = {"sd1": str(tmp_path / "labels.parquet")}
    with pytest.raises(ConfigError) as err:
        check_lists(config, sheet)
    for line, words in zip(
        str(err.value).splitlines(),
        [
            "dedup.prompt_list is .*list.csv, line 2: 3 cells",
            "inputs.extra_prompts is .*extra.parquet: no column caption .*it has title",
            r"labels.authors.sd1 is .*labels.parquet: the columns \['gen_seeds'\] are missing",
        ],
        strict=True,
    ):
        assert re.search(words, line), line


def test_the_papers_six_systems_are_fed_as_in_the_paper(sheet):
    paper = pd.read_csv(ROOT / "config/paper_values.tsv", sep="\t", dtype=str)
    assert sheet["reference"].tolist() == paper["reference"].tolist()
    assert sheet["deduplicated"].tolist() == paper["deduplicated"].tolist()
    assert sheet["candidates"].to_dict() == {
        "sd1": "own", "sd2": "own", "if": "top:sd1", "midjourney": "top:sd1",
        "openjourney": "found:sd1,sd2", "realisticvision": "found:sd1,sd2",
    }  # fmt: skip
    assert sheet.index[sheet["whitebox"] == "yes"].tolist() == ["sd1", "sd2"]


def test_the_papers_numbers_are_what_the_paper_and_its_code_say(config):
    assert config["dedup"]["n_prompts"] == 2_000_000
    assert (config["blackbox"]["n_prompts"], len(config["blackbox"]["seeds"])) == (30_000, 4)
    assert config["postfilter"]["n_images"] == 500
    assert (config["labels"]["n_prompts"], config["labels"]["n_transfer"]) == (500, 500)
    mask, values = config["labels"]["mask"], 3 * config["labels"]["size"] ** 2
    assert values == VALUES
    # sums of squares of 1e2 and 1e3 over 256x256x3 values, as root mean squares
    assert mask["low"] == pytest.approx((1e2 / values) ** 0.5, abs=5e-6)
    assert mask["high"] == pytest.approx((1e3 / values) ** 0.5, abs=5e-5)
    assert (mask["erode"], mask["dilate"], mask["difference"]) == (3, 6, 0.03)
    reference = config["labels"]["presets"]["reference"]
    for kind, limit in (("mv", 2.5e3), ("rv", 3e3), ("tv", 2.5e3)):
        assert reference[kind] == pytest.approx((limit / values) ** 0.5, abs=5e-6)
