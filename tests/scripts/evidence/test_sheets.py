"""Rules build_sheet and compare_verdicts on a run whose copies are known."""

import pandas as pd
from evidence_rules import build_sheet, run_rule
from made_evidence import SIZE, files_of
from PIL import Image


def test_a_sheet_shows_every_pair_that_its_table_lists(verified):
    sheet, pairs = build_sheet(verified)
    with Image.open(sheet) as image:
        rows = -(-len(pairs) // 4)
        assert image.size == (4 * (2 * SIZE + 6) + 6, rows * (SIZE + 12 + 6) + 6)
    assert pairs["verdict"].isna().all()
    assert set(pairs["model"]) == {"sd1"}
    assert pairs["prompt_id"].is_unique


def test_verdicts_are_compared_with_the_labels_of_each_model(verified):
    _, pairs = build_sheet(verified, n=50)
    labels = pd.read_parquet(files_of(verified)["labels"]).set_index("prompt_id")["label"]
    pairs["verdict"] = ["no" if labels[one] == "N" else "copy" for one in pairs["prompt_id"]]
    wrong = pairs.index[pairs["verdict"] == "copy"][0]
    pairs.loc[wrong, "verdict"] = "no"
    pairs.to_csv(verified / "verdicts.csv", index=False)
    run_rule(
        "compare_verdicts", verified,
        {"labels": [files_of(verified)["labels"]], "verdicts": verified / "verdicts.csv"},
        {"table": verified / "confirmed.csv"},
        {"models": ["sd1"], "known": ["sd1", "sd2"], "confidence": 0.95},
    )  # fmt: skip
    table = pd.read_csv(verified / "confirmed.csv").set_index("label")
    assert table["n"].sum() == len(pairs)
    assert table["confirmed"].sum() == len(pairs) - 1
    assert table.loc["N", "share"] == 1
