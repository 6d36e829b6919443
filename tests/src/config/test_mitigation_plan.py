"""Which models and files the target `mitigations` asks for."""

from types import SimpleNamespace

import pandas as pd
import pytest

from verbatim.config.defence_kinds import CHANGES
from verbatim.config.mitigation_plan import Mitigations
from verbatim.config.settings import ConfigError

HERE = SimpleNamespace(model="sd1", defence="wen")


def plan(models=(), attacked=("if1", "sd1", "sd2"), world=True, defences=("wen", "nemo")):
    block = {"models": list(models), "defences": list(defences)}
    families = pd.DataFrame({"family": ["if", "sd", "sd"]}, index=["if1", "sd1", "sd2"])
    run = SimpleNamespace(
        config={"mitigation": {"attacked": block}},
        models=SimpleNamespace(sheet=families, attacked=list(attacked)),
        data=SimpleNamespace(world=world),
    )
    return Mitigations(run)


def test_the_first_attacked_model_of_stable_diffusions_family_is_taken_unless_others_are_named():
    assert plan().models == ["sd1"]
    assert plan(["sd2", "sd1"]).models == ["sd2", "sd1"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"models": ["if1"]}, "if1 cannot be tested"),
        ({"models": ["nix"]}, "nix cannot be tested"),
        ({"attacked": ["if1"]}, "no model cannot be tested"),
        ({"world": False}, "only the embedded world knows; set inputs.source: world"),
    ],
)
def test_what_cannot_be_tested_is_told_with_its_key(changes, told):
    with pytest.raises(ConfigError, match=told):
        _ = plan(**changes).models


def test_none_comes_first_and_every_defence_says_what_it_changes():
    assert plan().defences == ["none", "wen", "nemo"]
    assert plan().changes == {
        "none": ("nothing", True),
        "wen": ("embedding", True),
        "nemo": ("weights", True),
    }
    assert [name for name, what in CHANGES.items() if what == "words"] == ["rt", "cwr", "rna"]


def test_embeddings_are_those_of_the_weights_that_a_defence_leaves():
    folder = "<results>/mitigation/attacked/sd1"
    assert plan().embeddings(HERE) == f"{folder}/none/embeddings.parquet"
    assert plan().neurons(HERE) == []
    nemo = SimpleNamespace(model="sd1", defence="nemo")
    assert plan().embeddings(nemo) == f"{folder}/nemo/embeddings.parquet"
    assert plan().neurons(nemo) == f"{folder}/neurons.parquet"


def test_files_of_all_are_listed_model_after_model():
    found = plan(["sd2", "sd1"]).of_all("a.parquet")(None)
    assert [path.split("/")[-3:-1] for path in found] == [
        [model, name] for model in ("sd2", "sd1") for name in ("none", "wen", "nemo")
    ]
    assert plan().targets(None)[0] == "<results>/tables/mitigations.csv"
