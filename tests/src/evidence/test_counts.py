"""What the verifier finds is counted beside the labels."""

from __future__ import annotations

import pandas as pd

from verbatim.evidence.counts import count_verified


def test_a_row_a_model_label_and_kind_of_prompt():
    table = pd.DataFrame(
        {
            "label": ["MV", "MV", "N", "N", "N", "missing"],
            "extra": [False, False, False, False, True, False],
            "p": [0.001, 0.001, 0.01, 0.9, 0.04, float("nan")],
            "q": [0.002, 0.002, 0.02, 0.9, 0.06, float("nan")],
            "verified": [True, False, True, False, False, False],
            "n_null": [99, 99, 99, 99, 99, 0],
        }
    )
    counts = count_verified({"sd1": table, "if": table[:0]}, {"sd1": "SD V1", "if": "IF"}, 0.05)
    assert counts["model"].tolist() == ["sd1"] * 4
    assert counts.set_index(["label", "extra"])[
        ["prompts", "p_below_alpha", "significant", "doubtful", "verified"]
    ].to_dict("index") == {
        ("MV", False): {"prompts": 2, "p_below_alpha": 2, "significant": 2, "doubtful": 1, "verified": 1},
        ("N", False): {"prompts": 2, "p_below_alpha": 1, "significant": 1, "doubtful": 0, "verified": 1},
        ("N", True): {"prompts": 1, "p_below_alpha": 1, "significant": 0, "doubtful": 0, "verified": 0},
        ("missing", False): {"prompts": 1, "p_below_alpha": 0, "significant": 0, "doubtful": 0, "verified": 0},
    }  # fmt: skip


def test_no_candidate_gives_a_table_with_its_columns():
    counts = count_verified({}, {}, 0.05)
    assert counts.empty
    assert "verified" in counts
