"""Which models and files the target `triggers` asks for."""

import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from verbatim.config.settings import ConfigError
from verbatim.config.trigger_plan import CAPTIONS, METHODS, SEARCHES, Triggers
from verbatim.detectors.trigger_search import METHODS as IMPLEMENTED
from verbatim.detectors.trigger_sheet import NAMES

RULES = Path(__file__).resolve().parents[3] / "workflow/rules/detectors_triggers.smk"


def plan(models=(), attacked=("if1", "sd1", "xl"), world=True):
    families = pd.DataFrame({"family": ["if", "sd", "sdxl"]}, index=["if1", "sd1", "xl"])
    run = SimpleNamespace(
        config={"detectors": {"triggers": {"models": list(models)}}, "results": "out"},
        models=SimpleNamespace(sheet=families, attacked=list(attacked)),
        data=SimpleNamespace(world=world),
    )
    return Triggers(run)


def here(method):
    return SimpleNamespace(model="sd1", method=method)


def test_all_attacked_models_with_words_are_searched_unless_some_are_named():
    assert plan().models == ["sd1", "xl"]
    assert plan(["xl"]).models == ["xl"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"models": ["if1"]}, "if1 cannot be searched"),
        ({"models": ["nix"]}, "nix cannot be searched"),
        ({"attacked": ["if1"]}, "no model cannot be searched"),
        ({"world": False}, "which only the embedded world allows; set inputs.source: world"),
    ],
)
def test_what_cannot_be_searched_is_told_with_its_key(changes, told):
    with pytest.raises(ConfigError, match=told):
        _ = plan(**changes).models


def test_every_method_that_is_planned_is_implemented_and_has_a_name():
    assert set(SEARCHES) == set(IMPLEMENTED)
    assert set(METHODS) == set(NAMES) == {*SEARCHES, CAPTIONS}


@pytest.mark.parametrize("method", SEARCHES)
def test_a_search_is_generated_from_its_own_chains_and_no_caption(method):
    one, asked = plan(), here(method)
    assert one.captions(asked) == one.scores(asked) == []
    assert one.chains(asked) == f"<results>/detectors/sd1/triggers/{method}/chains.parquet"


def test_only_the_known_captions_are_read_with_their_scores():
    one, asked = plan(), here(CAPTIONS)
    assert one.chains(asked) == []
    assert one.captions(asked) == "<results>/dedup/prompts.parquet"
    assert one.scores(asked) == "<results>/whitebox/sd1/scores.parquet"


def test_no_caption_of_the_training_data_reaches_the_search():
    """Its inputs are the model and the code alone, and its script reads no other input."""
    text = RULES.read_text().partition("rule search_triggers:")[2]
    inputs = re.search(r"input:\n(.*?)\n    output:", text, re.S)[1]
    assert [line.strip() for line in inputs.splitlines()] == [
        "unpack(run.models.loaded),",
        'code=code_of("detectors/search_triggers"),',
    ]
    script = RULES.parents[1] / "scripts/detectors/search_triggers.py"
    assert "smk.input" not in script.read_text()
    assert plan().searches == "words|gibbs|random"


def test_costs_are_listed_in_the_order_of_the_other_files():
    one = plan(["sd1"])
    folder = "<results>/detectors/sd1/triggers"
    assert one.search_costs(None) == [
        *(f"{folder}/{method}/search.parquet" for method in SEARCHES),
        "<results>/whitebox/sd1/cost.parquet",
    ]
    assert one.of_all("a")(None) == [f"{folder}/{method}/a" for method in METHODS]
    assert one.targets(None) == ["<results>/tables/triggers.csv", f"{folder}/sheet.png"]
