"""Every config validates, every key is explained, and a typo stops the run with the right word."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from overlays import overlay

from verbatim.config.settings import ConfigError, check_config
from verbatim.config.sheet import read_models, select_models

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))
CONFIGS = sorted((ROOT / "config").glob("*.yaml"))
SCHEMA = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text("utf-8"))


def keys(block: dict, path: str = "") -> list[tuple[str, dict]]:
    """(dotted key, its schema) of every key, however deep."""
    found = []
    for name, inner in block.get("properties", {}).items():
        found += [(path + name, inner), *keys(inner, f"{path}{name}.")]
    for rest in (block.get("additionalProperties"), *block.get("patternProperties", {}).values()):
        if isinstance(rest, dict):
            found += keys(rest, f"{path}*.")
    return found


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_config_validates_over_the_default(file):
    config = overlay(DEFAULT, yaml.safe_load(file.read_text("utf-8")))
    check_config(config, ROOT)
    models = read_models(ROOT / config["models"], ROOT)
    assert len(select_models(models, config["select_models"]))


def test_every_key_is_explained():
    assert len(keys(SCHEMA)) > 100
    for key, inner in keys(SCHEMA):
        assert inner.get("description"), key
    for table in (ROOT / "workflow/schemas").glob("models*.json"):
        for key, inner in keys(json.loads(table.read_text("utf-8"))):
            assert inner.get("description"), f"{table.name}: {key}"


def test_every_explanation_is_a_full_sentence():
    models = json.loads((ROOT / "workflow/schemas/models.schema.json").read_text("utf-8"))
    fragments = [
        f"{key}: {inner['description']}"
        for key, inner in [*keys(SCHEMA), *keys(models)]
        if not re.fullmatch(r"[A-Z`].*\.", inner["description"])
        or len(inner["description"].split()) < (4 if "properties" in inner else 6)
    ]
    assert fragments == []


def test_the_page_of_the_config_is_what_the_schemas_say(tmp_path):
    page = ROOT / "config" / "README.md"
    subprocess.run(
        [sys.executable, ROOT / "workflow/schemas/describe.py", tmp_path / "README.md"], check=True
    )
    assert page.read_text("utf-8") == (tmp_path / "README.md").read_text("utf-8")


def test_no_block_takes_unknown_keys():
    open_blocks = [
        key
        for key, inner in [("top level", SCHEMA), *keys(SCHEMA)]
        if inner.get("type") == "object" and "additionalProperties" not in inner
    ]
    assert open_blocks == []


def test_the_readme_lists_every_key_once_and_no_other():
    text = (ROOT / "config" / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    assert sorted(listed) == sorted(key for key, inner in keys(SCHEMA) if "properties" not in inner)


def test_the_readme_gives_every_default_as_it_is():
    text = (ROOT / "config" / "README.md").read_text("utf-8")
    for key, shown in re.findall(r"^\| `([^`*]+)` \|.*\| `([^`]*)` \|$", text, re.M):
        value = DEFAULT
        for part in key.split("."):
            value = value[part]
        listed = isinstance(value, dict)
        assert (shown.split(", ") if listed else json.loads(shown)) == (
            list(value) if listed else value
        ), key


def test_the_default_has_every_key_that_the_schema_asks_for():
    for key, inner in keys(SCHEMA):
        if "*" in key or inner.get("type") == "object":
            continue
        block = DEFAULT
        for part in key.split("."):
            block = block[part]  # a KeyError names what the default lacks


def mistype(config: dict, names: list[str]) -> list[str]:
    """Give each of these dotted keys an x at its end; what has to be said of each."""
    said = []
    for key in names:
        *path, last = key.split(".")
        block = config
        for part in path:
            block = block[part]
        block[last + "x"] = block.pop(last)
        said.append(f"{key}x' is no known key (did you mean {last!r}?)")
    return said


def test_every_mistyped_key_is_refused_with_the_right_one_all_of_them_at_once():
    config = copy.deepcopy(DEFAULT)
    said = mistype(
        config, [k for k, one in keys(SCHEMA) if "*" not in k and "properties" not in one]
    )
    assert len(said) > 100
    with pytest.raises(ConfigError) as err:
        check_config(config, ROOT)
    assert [sentence for sentence in said if sentence not in str(err.value)] == []


def test_every_mistyped_block_is_refused_with_the_right_one():
    for block in (key for key, one in keys(SCHEMA) if "*" not in key and "properties" in one):
        config = copy.deepcopy(DEFAULT)
        (said,) = mistype(config, [block])
        with pytest.raises(ConfigError) as err:
            check_config(config, ROOT)
        assert said in str(err.value)


def test_sheets_and_values_of_the_paper_name_each_other():
    models = read_models(ROOT / DEFAULT["models"], ROOT)
    paper = pd.read_csv(ROOT / DEFAULT["tables"]["paper_values"], sep="\t", dtype=str)
    named = set(models.reference) - {""}
    assert named <= set(paper.iloc[:, 0]), "a `reference` that is no row of paper_values"


def test_snakemake_refuses_a_mistyped_key_before_any_work(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--config",
         f"results={tmp_path}/results", "whitebox={guidence: 3}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "'whitebox.guidence' is no known key (did you mean 'guidance'?)" in said
    assert "Traceback" not in said
    assert not (tmp_path / "results").exists()
