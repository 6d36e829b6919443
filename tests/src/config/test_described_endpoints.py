"""The descriptions that are shipped, and the one that the guide shows, can be asked as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from verbatim.config.endpoints import read_endpoint
from verbatim.models.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "config/endpoints").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_description_is_complete(file):
    assert read_endpoint(file)["budget"] > 0


def test_there_is_one_of_every_kind():
    assert {read_endpoint(file)["kind"] for file in FILES} == {"openai", "a1111", "template"}


def test_the_description_in_the_guide_is_complete(tmp_path):
    (text,) = re.findall(
        r"```yaml\n(kind: .*?)```", (ROOT / "workflow/docs/guide.md").read_text("utf-8"), re.S
    )
    (tmp_path / "guide.yaml").write_text(text)
    assert read_endpoint(tmp_path / "guide.yaml")["key_variable"] == "OPENAI_API_KEY"


def test_the_served_checkpoint_is_asked_as_the_default_run_generates():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
    endpoint = Endpoint(**read_endpoint(ROOT / "config/endpoints/served.yaml"))
    sampling = config["sampling"]
    assert (endpoint.steps, endpoint.guidance) == (sampling["steps"], sampling["guidance"])
    assert endpoint.sampler.lower() == sampling["sampler"]
    assert set(endpoint.size) == {config["world"]["size"]}
    images = config["blackbox"]["n_prompts"] * len(config["blackbox"]["seeds"])
    assert endpoint.budget >= images + config["labels"]["n_transfer"] * len(
        config["labels"]["seeds"]
    )
