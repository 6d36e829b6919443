"""Rules compare_criteria and compare_descriptors: CSV tables with the columns that their contracts explain."""

import pandas as pd
import pytest
from made_results import make_labels, make_truth, rows_of

from verbatim.io.contracts import CONTRACTS
from verbatim.io.keys import prompt_id
from verbatim.io.records import write_table

REPORTS = CONTRACTS["tables"]
DRAWS = {"resamples": 20, "confidence": 0.95, "seed": 0}
TRUTH = make_truth()
OWN = rows_of(TRUTH, "planted thing 0")[0]


def explained(kind: str) -> list[str]:
    return list(REPORTS[kind].columns)


@pytest.fixture
def labelled(tmp_path):
    write_table(tmp_path / "truth.parquet", "truth", TRUTH)
    for model, similarity in (("sd1", 0.9), ("sd2", 0.6)):
        copied = {"planted thing 0": ("MV", OWN)} if model == "sd1" else {}
        write_table(tmp_path / model / "labels.parquet", "labels", make_labels(TRUTH, copied))
        nearest = pd.DataFrame(
            {"prompt_id": [prompt_id("planted thing 0")], "seed": 0, "order": 0, "row": OWN,
             "similarity": [similarity]}
        )  # fmt: skip
        write_table(tmp_path / model / "copy_neighbours.parquet", "copy_neighbours", nearest)
        clip = nearest.assign(similarity=0.99)
        write_table(tmp_path / model / "neighbours.parquet", "neighbours", clip)
    return tmp_path


def compare(folder, run_script, truth) -> pd.DataFrame:
    models = ["sd1", "sd2"]
    run_script(
        "tables/compare_criteria.py",
        input={
            "truth": truth,
            "labels": [folder / model / "labels.parquet" for model in models],
            "neighbours": [folder / model / "copy_neighbours.parquet" for model in models],
            "clip": [folder / model / "neighbours.parquet" for model in models],
        },
        output={"table": folder / "criteria.csv"},
        params={"models": models, "descriptor": "sscd", "thresholds": [0.5, 0.7], **DRAWS},
    )
    return pd.read_csv(folder / "criteria.csv", keep_default_na=False, na_values=[""])


@pytest.mark.slow
def test_every_model_has_its_labels_beside_the_descriptors_verdicts(labelled, run_script):
    table = compare(labelled, run_script, labelled / "truth.parquet")
    assert list(table.columns) == explained("tables/criteria.csv")
    keyed = table.set_index(["model", "criterion", "by", "group"])
    assert keyed.loc[("sd1", "sscd_0.7", "label", "MV"), "found"] == 1
    assert keyed.loc[("sd2", "sscd_0.7", "label", "N"), "found"] == 0
    assert keyed.loc[("sd2", "sscd_0.5", "kind", "full"), ["found", "own"]].tolist() == [1, 1]
    assert keyed.loc[("sd1", "labels", "kind", "full"), "found"] == 1
    assert keyed.loc[("sd2", "clip_0.7", "label", "N"), "found"] == 1


def test_without_a_truth_the_table_has_labels_alone(labelled, run_script):
    table = compare(labelled, run_script, [])
    assert list(table.columns) == explained("tables/criteria.csv")
    assert set(table["by"]) == {"label"}


def test_the_table_of_detectors_has_the_columns_of_its_contract(tmp_path, run_script):
    pairs = pd.DataFrame(
        {"descriptor": "sscd", "normalized": False, "pair": ["distorted"] * 4 + ["unrelated"] * 4,
         "number": [0, 1, 2, 3] * 2, "drawing": [0, 1, 2, 3] * 2,
         "similarity": [0.9, 0.8, 0.6, 0.75, 0.1, 0.2, 0.0, 0.65]}
    )  # fmt: skip
    write_table(tmp_path / "pairs.parquet", "pair_similarities", pairs)
    run_script(
        "tables/compare_descriptors.py",
        input={"pairs": tmp_path / "pairs.parquet"},
        output={"table": tmp_path / "separation.csv"},
        params={"thresholds": [0.5, 0.7], **DRAWS},
    )
    table = pd.read_csv(tmp_path / "separation.csv")
    assert list(table.columns) == explained("tables/separation.csv")
    by = table.set_index(["pair", "threshold"])["share"].to_dict()
    assert by == {
        ("distorted", 0.5): 1, ("distorted", 0.7): 0.75, ("unrelated", 0.5): 0.25, ("unrelated", 0.7): 0
    }  # fmt: skip
