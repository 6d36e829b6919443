from made_results import make_labels, make_truth, rows_of

from verbatim.tables.confusion import compare_truth


def confusion(copies, **more):
    truth = make_truth()
    copies = {k: (label, rows_of(truth, of)[0]) for k, (label, of) in copies.items()}
    table = compare_truth(make_labels(truth, copies, **more), truth, 200, 0.95, 0)
    return table.set_index(["label", "kind"])


COPIES = {
    "planted thing 0": ("MV", "planted thing 0"),
    "planted thing 1": ("MV", "lone thing 0"),
    "lone thing 2": ("RV", "planted thing 3"),
    "unseen thing 0": ("RV", "planted thing 0"),
}


def test_labels_are_counted_by_the_kind_of_prompt():
    table = confusion(COPIES, review=("lone thing 3",), missing=("lone thing 4",))
    assert table.loc[("MV", "full"), ["prompts", "source_own", "source_planted"]].tolist() == [
        2,
        1,
        1,
    ]
    assert table.loc[("RV", "single"), ["prompts", "source_own", "source_planted"]].tolist() == [
        1,
        0,
        1,
    ]
    assert table.loc[("N", "full"), "prompts"] == 4
    assert table.loc[("review", "single"), "prompts"] == 1
    assert table.loc[("missing", "single"), "prompts"] == 1


def test_the_total_is_that_of_table_1_without_extra_prompts():
    table = confusion(COPIES)
    assert table.loc[("copy", "all"), ["prompts", "source_planted"]].tolist() == [3, 2]
    assert table.loc[("copy", "held_out"), "prompts"] == 1
    assert table.loc[("copy", "all"), "share_planted"] == 2 / 3


def test_prompts_that_copy_one_image_have_one_source():
    copies = {
        "planted thing 0": ("RV", "planted thing 0"),
        "planted thing 1": ("RV", "planted thing 0"),
        "planted thing 2": ("RV", "planted thing 3"),
        "planted thing 3": ("RV", "lone thing 0"),  # an image met once was not planted
    }
    table = confusion(copies)
    got = table.loc[("RV", "full"), ["prompts", "source_planted", "sources"]]
    assert got.tolist() == [4, 3, 2]
    assert table.loc["N", "sources"].eq(0).all()


def test_prompts_that_give_one_image_back_fall_together_in_the_interval():
    one = {f"planted thing {i}": ("RV", "planted thing 0") for i in range(4)}
    copies = one | {"lone thing 2": ("RV", "lone thing 0")}
    same = confusion(copies).loc[("copy", "all")]
    apart = one | {f"planted thing {i}": ("RV", f"planted thing {i}") for i in range(4)}
    each = confusion(apart | {"lone thing 2": ("RV", "lone thing 0")}).loc[("copy", "all")]
    assert same["share_planted"] == each["share_planted"] == 0.8
    assert same["low"] == 0  # of two images one was planted: a draw may have the other alone
    assert each["low"] > 0


def test_no_source_no_share():
    table = confusion(COPIES)
    assert table.loc["N", "share_planted"].isna().all()
    assert table.loc["N", "low"].isna().all()


def test_a_prompt_of_another_data_set_is_of_unknown_kind():
    truth = make_truth()
    labels = make_labels(truth, {})
    labels.loc[0, "prompt_id"] = 12345
    table = compare_truth(labels, truth, 200, 0.95, 0).set_index(["label", "kind"])
    assert table.loc[("N", "unknown"), "prompts"] == 1


def test_no_labels_no_lines():
    truth = make_truth()
    assert compare_truth(make_labels(truth, {}).iloc[:0], truth, 200, 0.95, 0).empty
