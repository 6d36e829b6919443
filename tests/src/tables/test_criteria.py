"""Labels beside a copy descriptor: counted by label and, where the truth is known, by kind of prompt."""

import pandas as pd
import pytest
from made_results import make_labels, make_truth, rows_of

from verbatim.io.keys import prompt_id
from verbatim.metrics.intervals import Draws
from verbatim.tables.criteria import LABELS, compare_criteria, judge_similarities

DRAWS = Draws(200, 0.95, 0)
TRUTH = make_truth()
COPIED = {"planted thing 0": ("MV", rows_of(TRUTH, "planted thing 0")[0])}


def row_of(caption: str) -> int:
    return rows_of(TRUTH, caption)[0]


def neighbours(similar: dict[str, list[tuple[float, int]]]) -> pd.DataFrame:
    """A `copy_neighbours` table: caption -> of each seed the similarity and row of the nearest; a second one beside it."""
    lines = []
    for caption, of_seeds in similar.items():
        for seed, (similarity, row) in enumerate(of_seeds):
            for order, value in enumerate((similarity, similarity - 0.1)):
                lines.append((prompt_id(caption), seed, order, row if order == 0 else 0, value))
    return pd.DataFrame(lines, columns=["prompt_id", "seed", "order", "row", "similarity"])


SIMILAR = neighbours(
    {
        "planted thing 0": [(0.2, 0), (0.9, row_of("planted thing 0"))],
        "planted thing 1": [(0.6, row_of("planted thing 1")), (0.1, 0)],
        "planted thing 2": [(0.95, row_of("planted thing 0"))],
        "carpet in colour 0": [(0.8, row_of("carpet in colour 1"))],
        "unseen thing 0": [(0.55, row_of("planted thing 3"))],
        "unseen thing 1": [(0.5, row_of("planted thing 3"))],
    }
)


def compared(labels=None, truth=TRUTH) -> pd.DataFrame:
    labels = make_labels(TRUTH, COPIED) if labels is None else labels
    similar = judge_similarities(labels, SIMILAR, "sscd", [0.5, 0.7])
    table = compare_criteria(labels, similar, truth, DRAWS)
    return table.set_index(["criterion", "by", "group"])


def test_the_most_similar_generation_of_a_prompt_decides_above_the_threshold():
    labels = make_labels(TRUTH, {})
    found = judge_similarities(labels, SIMILAR, "sscd", [0.5, 0.7])
    assert list(found) == ["sscd_0.5", "sscd_0.7"]
    by = {name: table.set_index("prompt_id") for name, table in found.items()}
    verdicts = {
        "planted thing 0": ("MV", "MV"), "planted thing 1": ("MV", "N"), "unseen thing 1": ("N", "N"),
        "lone thing 0": ("missing", "missing"),
    }  # fmt: skip
    for caption, expected in verdicts.items():
        assert tuple(by[name].loc[prompt_id(caption), "label"] for name in by) == expected, caption
    assert by["sscd_0.5"].loc[prompt_id("planted thing 0"), "source_row"] == row_of(
        "planted thing 0"
    )


def test_verdicts_of_the_descriptor_are_counted_by_label():
    table = compared()
    assert table.loc[("sscd_0.7", "label", "MV"), ["n", "found"]].tolist() == [1, 1]
    # of the labels' N five were described
    assert table.loc[("sscd_0.5", "label", "N"), ["n", "found"]].tolist() == [5, 4]
    assert table.loc[("sscd_0.7", "label", "N"), ["n", "found"]].tolist() == [5, 2]
    assert table.loc[("sscd_0.7", "label", "N"), "missing"] == len(make_labels(TRUTH, {})) - 6
    assert LABELS not in table.xs("label", level="by").index.get_level_values("criterion")


def test_what_a_guard_set_aside_is_a_group_of_its_own():
    table = compared(make_labels(TRUTH, COPIED, review=("planted thing 0",)))
    assert table.loc[("sscd_0.7", "label", "review"), ["n", "found"]].tolist() == [1, 1]
    assert table.loc[(LABELS, "kind", "full"), "found"] == 0


def test_against_the_truth_a_copy_of_another_image_is_found_but_not_own():
    table = compared()
    full = table.loc[("sscd_0.5", "kind", "full")]
    assert full[["n", "missing", "found", "own"]].tolist() == [3, 3, 3, 2]
    assert full["own_share"] == pytest.approx(2 / 3)
    assert full["share"] == 1
    assert table.loc[("sscd_0.7", "kind", "template"), ["found", "own"]].tolist() == [
        1,
        1,
    ]  # of its family
    assert table.loc[(LABELS, "kind", "full"), ["n", "found", "own"]].tolist() == [6, 1, 1]


def test_held_out_prompts_that_are_called_copied_are_false_alarms():
    table = compared()
    assert table.loc[("sscd_0.5", "kind", "held_out"), ["n", "found", "own"]].tolist() == [2, 1, 0]
    assert table.loc[("sscd_0.7", "kind", "held_out"), "found"] == 0
    line = table.loc[("sscd_0.5", "kind", "held_out")]
    assert 0 <= line["low"] <= line["share"] <= line["high"] <= 1


def test_without_a_truth_there_are_labels_alone():
    table = compared(truth=None)
    assert set(table.index.get_level_values("by")) == {"label"}
    assert table["own"].isna().all()
