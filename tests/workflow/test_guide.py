"""The guide's walk from a result to its code names only what exists, in at most five hops."""

import re
from pathlib import Path

import pytest
import yaml

from verbatim.config.old_keys import OLD_KEYS
from verbatim.io.contracts import CONTRACTS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "workflow/docs/guide.md").read_text("utf-8")
SECTION = TEXT.split("## From a result to its code\n")[1].split("\n## ")[0]
WALKS = [part.strip() for part in re.split(r"\n(?=`results/)", SECTION) if part.strip()]
ENDINGS = ("csv", "md", "parquet", "py", "yaml")  # of files, whose names look like keys
RESULTS = ROOT / "results/README.md"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "workflow/docs").glob("*.md"))]


def hops(walk: str) -> dict[str, str]:
    """Rule, Script, Function, Test and Config -> the text of the hop."""
    return dict(re.findall(r"^\d\. (\w+): (.*?)(?=^\d\. |\n\n|\Z)", walk, re.M | re.S))


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.split("`")[1])
def test_a_walk_has_five_hops_from_the_rule_to_the_config(walk):
    assert list(hops(walk)) == ["Rule", "Script", "Function", "Test", "Config"]


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.split("`")[1])
def test_the_rule_of_a_walk_writes_its_file_and_the_script_has_the_name_of_a_rule(walk):
    file = walk.split("`")[1].replace("results/", "<results>/").replace("/sd1/", "/{model}/")
    rules = hops(walk)["Rule"]
    text = (ROOT / re.search(r"`(workflow/rules/[\w.]+)`", rules)[1]).read_text("utf-8")
    first, *others = re.findall(r"`(\w+)`", rules)
    body = re.split(rf"^rule {first}:$", text, flags=re.M)[1].split("\nrule ")[0]
    assert file in body.split("log:")[0]
    for rule in others:
        assert re.search(rf"^rule {rule}:$", text, re.M), rule
    script = re.search(r"`workflow/scripts/\w+/(\w+)\.py`", hops(walk)["Script"])[1]
    assert script in (first, *others)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.split("`")[1])
def test_the_functions_of_a_walk_are_defined_and_its_script_calls_one(walk):
    found = re.findall(r"`(\w+)`\s+in\s+`(workflow/src/[\w/.]+)`", hops(walk)["Function"])
    assert len(found) >= 1
    for name, path in found:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), name
    script = ROOT / hops(walk)["Script"].split("`")[1]
    assert f"{found[0][0]}(" in script.read_text("utf-8")


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.split("`")[1])
def test_the_config_keys_of_a_walk_exist_and_its_columns_are_explained(walk):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
    stage, key = re.search(r"`(\w+)\.(\w+)`", hops(walk)["Config"]).groups()
    assert key in config[stage]
    file = walk.split("`")[1].removeprefix("results/").replace("/sd1/", "/{model}/")
    assert any(file in table.file for tables in CONTRACTS.values() for table in tables.values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_of_the_repository_that_a_document_names_exists(document):
    named = re.findall(r"(?:workflow|tests|config|envs)/[\w/.-]+\.\w+", document.read_text("utf-8"))
    lost = [path for path in named if not (ROOT / path).exists()]
    assert lost == []


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, RESULTS], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_every_config_key_that_a_document_names_exists(document):
    configs = [yaml.safe_load(path.read_text("utf-8")) for path in ROOT.glob("config/*.yaml")]
    blocks = {name for one in configs for name, value in one.items() if isinstance(value, dict)}
    blocks |= {key.partition(".")[0] for key in OLD_KEYS}

    def holds(block: object, parts: list[str]) -> bool:
        return not parts or (
            isinstance(block, dict) and parts[0] in block and holds(block[parts[0]], parts[1:])
        )

    named = re.findall(r"`(\w+(?:\.\w+)+)[`:=]", document.read_text("utf-8"))
    keys = [parts for key in named if (parts := key.split("."))[0] in blocks]
    lost = [
        ".".join(parts)
        for parts in keys
        if parts[-1] not in ENDINGS and not any(holds(one, parts) for one in configs)
    ]
    assert lost == []
