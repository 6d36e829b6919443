"""Rows of family `api`: their descriptions are checked before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from verbatim.config.endpoints import check_endpoints, check_keys, read_endpoint
from verbatim.config.settings import ConfigError
from verbatim.config.sheet import read_models, select_models

ROOT = Path(__file__).resolve().parents[3]
LOCAL = {
    "kind": "a1111", "url": "http://127.0.0.1:7860/sdapi/v1/txt2img", "allow_http": True, "budget": 10, "steps": 8,
    "guidance": 3.0, "size": [64, 64],
}  # fmt: skip
OPENAI = {
    "kind": "openai",
    "url": "https://host.example/v1/images/generations",
    "budget": 10,
    "key_variable": "NO_KEY",
}


@pytest.fixture
def web(sheet, tmp_path):
    """The sheet with `if` as a row of family api."""

    def make(described, candidates="top:sd1", **cells):
        (tmp_path / "web.yaml").write_text(yaml.safe_dump(described))
        changes = {
            "family": "api", "source": str(tmp_path / "web.yaml"), "training": "", "upscaler": "",
            "candidates": candidates, **cells,
        }  # fmt: skip
        return read_models(
            sheet(*(("if", column, value) for column, value in changes.items())), ROOT
        )

    return make


def test_a_description_is_read_with_what_it_gives_and_no_more(web, tmp_path, config):
    table = web(LOCAL)
    assert read_endpoint(tmp_path / "web.yaml") == LOCAL
    check_endpoints(config, table)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kind: openai\nurl: [", "web.yaml, line 2: neither YAML nor JSON"),
        ("kind: openai\n", "'url' is a required property"),
        ("kind: midjourney\nurl: https://a.example/\nbudget: 1", "kind is 'midjourney'"),
        ("kind: openai\nurl: https://a.example/\nbudget: 1\nkey: sk-1", "'key' is no known key"),
        ("kind: openai\nurl: http://a.example/\nbudget: 1", "unencrypted"),
        ("kind: openai\nurl: https://a.example/\nbudget: -1", "budget is -1"),
        ("!!python/object/apply:os.system ['true']", "neither YAML nor JSON"),
        ("just words", "is not of type 'object'"),
    ],
)
def test_a_description_that_is_wrong_is_refused_by_name(tmp_path, text, why):
    (tmp_path / "web.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_endpoint(tmp_path / "web.yaml")
    assert why in str(caught.value)
    assert "web.yaml" in str(caught.value)


def test_a_description_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        read_endpoint(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="must end in"):
        read_endpoint(tmp_path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("candidates", "own"), ("candidates", "manifest"), ("candidates", "authors"), ("whitebox", "yes"),
        ("source", "train"), ("training", "all"), ("init", "sd1"),
    ],
)  # fmt: skip
def test_a_row_that_asks_for_what_only_a_model_has_is_refused(web, column, value):
    with pytest.raises(
        ConfigError,
        match=f"has the family 'api', of which no network is known, so {column} cannot be",
    ):
        web(LOCAL, **{column: value})


def test_its_own_ecs_needs_seed_and_steps(web, config):
    check_endpoints(config, web(LOCAL, candidates="top:if"))
    with pytest.raises(ConfigError, match="its endpoint does not take seed and steps"):
        check_endpoints(config, web(OPENAI, candidates="top:if"))


def test_a_key_is_asked_for_before_any_work_and_only_while_it_is_needed(web, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_KEY", raising=False)
    table = web(OPENAI)
    with pytest.raises(ConfigError, match="the environment variable NO_KEY is not set"):
        check_keys(table, table, tmp_path)
    check_keys(table, select_models(table, ["sd1"]), tmp_path)
    done = tmp_path / "labels/if/asked/manifest.jsonl"
    done.parent.mkdir(parents=True)
    done.touch()
    check_keys(table, table, tmp_path)
