"""Pairs to look at, and what a look says of labels."""

import numpy as np
import pandas as pd
import pytest

from verbatim.evidence.contact_sheet import (
    GAP,
    HEAD,
    VerdictError,
    compare_verdicts,
    draw_sheet,
    read_verdicts,
    sample_pairs,
)  # fmt: skip

NAN = float("nan")


def labels(n_copies: int = 30, n_others: int = 50) -> pd.DataFrame:
    """MV and RV in turn, then N; a pair's row names its prompt and kind: 10 prompt + 0 (mv) or 1 (rv)."""
    n = n_copies + n_others
    label = [("MV", "RV")[i % 2] for i in range(n_copies)] + ["N"] * n_others
    ids = np.arange(n, dtype=np.int64)
    table = pd.DataFrame({"prompt_id": ids, "label": label})
    for j, kind in enumerate(("mv", "rv")):
        table[f"distance_{kind}"] = 0.3 - 0.1 * j
        table[f"seed_{kind}"], table[f"row_{kind}"] = j, 10 * ids + j
    return table.assign(distance_tv=NAN, seed_tv=-1, row_tv=-1)


def test_a_copy_is_shown_by_the_pair_of_its_label_and_another_prompt_by_its_nearest():
    pairs = sample_pairs(labels(), 100, seed=0).set_index("prompt_id")
    assert len(pairs) == 80
    assert pairs.loc[0, "row"] == 0  # MV, although the retrieved image is nearer
    assert pairs.loc[1, "row"] == 11
    assert pairs.loc[40, "row"] == 401


def test_labels_are_mixed_and_each_kind_has_at_most_n():
    table = labels()
    pairs = sample_pairs(table, 20, seed=3)
    assert pairs["number"].tolist() == list(range(1, 41))
    copy = table.set_index("prompt_id").loc[pairs["prompt_id"], "label"].ne("N").to_numpy()
    assert copy.sum() == 20
    assert 3 < copy[:20].sum() < 17  # a sheet sorted by label would have 0 or 20
    assert pairs.equals(sample_pairs(table, 20, seed=3))
    assert not pairs.equals(sample_pairs(table, 20, seed=4))


def test_prompts_without_a_training_image_take_no_part():
    table = labels(2, 2)
    table[["row_mv", "row_rv"]] = -1
    assert len(sample_pairs(table, 5, seed=0)) == 0


def test_the_generation_is_left_the_training_image_right_and_a_hidden_one_is_blank():
    red, green = np.zeros((8, 8, 3)), np.zeros((8, 8, 3))
    red[..., 0], green[..., 1] = 1, 1
    sheet = draw_sheet([(red, green), (red, None), (green, red)], size=8, columns=2)
    left, below = 2 * 8 + GAP, 8 + HEAD + GAP  # from a pair to the next
    first = sheet[GAP + HEAD : GAP + HEAD + 8]
    assert (first[:, GAP : GAP + 8] == (255, 0, 0)).all()
    assert (first[:, GAP + 8 : GAP + 16] == (0, 255, 0)).all()
    assert (first[:, GAP + left : GAP + left + 8] == (255, 0, 0)).all()
    assert (first[:, GAP + left + 8 : GAP + left + 16] == 255).all()
    second = sheet[GAP + HEAD + below : GAP + HEAD + below + 8]
    assert (second[:, GAP : GAP + 8] == (0, 255, 0)).all()


def test_agreement_counts_a_template_as_a_copy_and_has_intervals():
    table = labels(4, 6)
    verdicts = pd.DataFrame(
        {
            "model": "sd1",
            "prompt_id": [0, 1, 2, 3, 4, 5, 6],
            "verdict": ["copy", "template", "no", "copy", "no", "no", "copy"],
        }
    )
    got = compare_verdicts({"sd1": table, "sd2": table}, verdicts, 0.95)
    got = got.set_index(["model", "label"])
    assert got.loc[("sd1", "MV"), ["n", "confirmed"]].tolist() == [2, 1]
    assert got.loc[("sd1", "RV"), ["n", "confirmed"]].tolist() == [2, 2]
    assert got.loc[("sd1", "N"), ["n", "confirmed"]].tolist() == [3, 2]
    assert got.loc[("sd1", "N"), "low"] < 2 / 3 < got.loc[("sd1", "N"), "high"]
    assert got.loc[("sd2", "N"), "n"] == 0
    assert np.isnan(got.loc[("sd2", "N"), "share"])


@pytest.mark.parametrize("n", [0, 1, 11])
def test_a_sheet_of_any_number_of_pairs_is_drawn(n):
    image = np.full((8, 8, 3), 0.5)
    assert draw_sheet([(image, image)] * n, size=8, columns=5).ndim == 3


def test_the_filled_in_sheet_is_read_and_pairs_without_a_verdict_are_left_out(tmp_path):
    sheet = sample_pairs(labels(3, 3), 3, seed=0).assign(
        model="sd1", verdict=["copy", "", "no"] * 2
    )
    sheet.to_csv(tmp_path / "a.csv", index=False)
    got = read_verdicts(tmp_path / "a.csv", ["sd1"])
    assert got["verdict"].tolist() == ["copy", "no"] * 2
    assert got["prompt_id"].tolist() == sheet.loc[sheet["verdict"] != "", "prompt_id"].tolist()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sd1,7,maybe", "line 3: verdict 'maybe'; known: copy, template, no"),
        ("sd9,7,no", "line 3: no model 'sd9'; known: sd1"),
        ("sd1,seven,no", "line 3: prompt_id 'seven' is no whole number"),
        ("sd1,5,no", "line 3: a second verdict on prompt 5 of sd1"),
    ],
)
def test_a_wrong_verdict_is_named_by_its_line(tmp_path, line, said):
    (tmp_path / "a.csv").write_text(f"model,prompt_id,verdict\nsd1,5,copy\n{line}\n")
    with pytest.raises(VerdictError, match=said):
        read_verdicts(tmp_path / "a.csv", ["sd1"])


def test_a_file_without_the_columns_is_refused_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("prompt_id,verdict\n5,copy\n")
    with pytest.raises(VerdictError, match="no column 'model'"):
        read_verdicts(tmp_path / "a.csv", ["sd1"])
