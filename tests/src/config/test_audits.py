"""The audited model as a row of the sheet, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from verbatim.config.audits import (
    AUDITED,
    Audit,
    add_audited,
    describe_most,
    planned_captions,
    rows_a_generation,
)
from verbatim.config.data_files import DataFiles, WorldSource
from verbatim.config.endpoints import read_endpoint
from verbatim.config.run import Run
from verbatim.config.settings import ConfigError
from verbatim.config.sheet import loading_row, read_models
from verbatim.models.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[3]

AUDIT = {"model": "sd1", "revision": "", "family": "sd", "dtype": "float16"}


@pytest.fixture(scope="module")
def sheet():
    return read_models(ROOT / "config" / "models.tsv", ROOT)


def test_a_key_of_the_sheet_is_taken_as_it_is(sheet):
    same, key = add_audited(sheet, AUDIT, ROOT)
    assert key == "sd1"
    assert same is sheet


def test_any_other_model_becomes_a_row(sheet):
    more, key = add_audited(sheet, AUDIT | {"model": "org/model", "revision": "0" * 40}, ROOT)
    assert key == AUDITED
    assert list(more.index) == [*sheet.index, AUDITED]
    row = loading_row(more, key)
    assert (row["source"], row["revision"], row["dtype"], row["family"]) == (
        "org/model", "0" * 40, "float16", "sd",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "midjourney"}, "closed system of family 'images'.*family 'api'"),
        ({"model": "nowhere.yaml", "family": "api"}, "nowhere.yaml: cannot be read"),
        ({"model": "x", "family": "if"}, "two stages"),
        ({"model": "x", "family": "gan"}, "audit.family.*'gan'"),
        ({"model": "x", "dtype": "int8"}, "audit.dtype"),
    ],
)
def test_what_cannot_be_audited_is_refused(sheet, changes, words):
    with pytest.raises(ConfigError, match=words):
        add_audited(sheet, AUDIT | changes, ROOT)


def test_a_closed_system_behind_http_is_asked_and_nothing_of_it_is_scored_or_counted_in_rows(sheet):
    named = AUDIT | {"model": str(ROOT / "config/endpoints/served.yaml"), "family": "api"}
    more, key = add_audited(sheet, named, ROOT)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))
    data = DataFiles(config, WorldSource.of_rows(1, 1), "images", [], "world")
    run = Run.of(config, more, more.iloc[:1], data)
    audit, own = Audit(run, key, 20), Audit(run, "sd1", 20)
    assert audit.asked
    assert not own.asked
    assert (audit.scores, audit.scores_cost, audit.rows_a_generation) == ([], [], 0)
    assert audit.of_shards(".images.parquet") == ["<results>/audit/asked.images.parquet"]
    described = read_endpoint(named["model"])
    assert audit.sampling["steps"] == described["steps"]
    assert audit.sampling["seeded"]
    assert audit.bundle_settings["sampling"] == audit.sampling
    assert own.scores == "<results>/audit/scores.parquet"
    # 60 captions at least, ten generations each
    assert f"asks {described['url']} for 600 images at most" in audit.planned_cost
    assert "the budget is 5,000 images." in audit.planned_cost
    rows = rows_a_generation("euler", config["sampling"]["steps"], config["sampling"]["guidance"])
    scores = 60 * len(config["whitebox"]["seeds"])
    assert f"takes {600 * rows + scores:,} network rows" in own.planned_cost
    assert own.sampling["sampler"] == config["sampling"]["sampler"]


def test_the_description_of_an_endpoint_is_of_family_api_whatever_the_config_says(sheet):
    named = AUDIT | {"model": str(ROOT / "config/endpoints/openai.yaml"), "family": "sd"}
    more, key = add_audited(sheet, named, ROOT)
    assert more.loc[key, "family"] == "api"


def test_a_budget_that_cannot_pay_for_every_caption_is_told_with_the_plan():
    endpoint = Endpoint("openai", "https://example.org/v1", 150, price=0.02, images_per_minute=5)
    told = describe_most(20, 10, endpoint)
    assert "for 200 images at most at 0.02 USD = 4.00 USD, in 40 minutes at least" in told
    assert "the budget is 150 images, 50 too few" in told
    assert "too few" not in describe_most(15, 10, endpoint)


def test_jobs_are_planned_for_every_caption_and_for_one_at_least():
    assert planned_captions({"least_prompts": 60}, 10_000) == 10_000
    assert planned_captions({"least_prompts": 60}, 3) == 60
    assert planned_captions({"least_prompts": 0}, 0) == 1
