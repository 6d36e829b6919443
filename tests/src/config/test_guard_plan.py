"""Which models the guard is evaluated on, and which files its rules ask for."""

from types import SimpleNamespace

import pytest

from verbatim.config.guard_plan import Guard
from verbatim.config.settings import ConfigError

FOLDER = "<results>/guard"


@pytest.fixture
def plan(make):
    """The plan of a run that attacks sd1, sd2 and a model of two stages."""
    return lambda *cells, **keys: Guard(make(*cells, **keys))


def test_the_first_attacked_model_is_guarded_unless_others_are_named(plan):
    assert plan().models == ["sd1"]
    assert plan(guard__models=["sd2", "sd1"]).models == ["sd2", "sd1"]


@pytest.mark.parametrize(
    ("named", "told"), [("midjourney", "midjourney cannot"), ("if", "if cannot"), ("x", "x cannot")]
)
def test_a_model_that_cannot_be_guarded_is_told_with_the_key_and_those_that_can(plan, named, told):
    with pytest.raises(ConfigError, match=rf"guard\.models: {told} be guarded.*fit: sd1, sd2"):
        _ = plan(guard__models=[named]).models


def test_no_model_that_is_attacked_is_an_error_and_not_an_empty_table(plan):
    with pytest.raises(ConfigError, match=r"no model cannot be guarded.*fit: none"):
        _ = plan(("sd1", "whitebox", "no"), ("sd2", "whitebox", "no")).models


def test_files_behind_defences_are_of_one_model_or_of_all(plan):
    two = plan(guard__models=["sd1", "sd2"], guard__defences=["none", "wen"])
    assert two.of_defences("cost.parquet") == [
        f"{FOLDER}/{{model}}/none/cost.parquet",
        f"{FOLDER}/{{model}}/wen/cost.parquet",
    ]
    assert two.of_all("a")(None) == [
        f"{FOLDER}/{model}/{defence}/a" for model in ("sd1", "sd2") for defence in ("none", "wen")
    ]
    here = SimpleNamespace(model="sd2", defence="wen")
    assert two.kept(here) == "results/guard/sd2/wen/kept"


def test_the_table_by_kind_is_asked_for_only_where_kinds_are_known(plan):
    files = [f"{FOLDER}/sd1/sheet.png", f"{FOLDER}/sd1/guard.csv"]
    assert plan().targets(None) == [*files, "<results>/tables/guard.csv"]
    assert plan(world=False).targets(None) == files
