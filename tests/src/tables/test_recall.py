from made_results import make_labels, make_truth, rows_of
from scipy.stats import binomtest

from verbatim.tables.recall import count_recall


def recall(copies, truth=None, **more):
    truth = make_truth() if truth is None else truth
    copies = {k: (label, rows_of(truth, of)[0]) for k, (label, of) in copies.items()}
    table = count_recall(make_labels(truth, copies, **more), truth, 0.95)
    return table.set_index(["kind", "count"])


def test_found_of_planted_a_kind_and_count():
    truth = make_truth()
    truth.loc[truth["caption"].isin(["planted thing 0", "planted thing 1"]), "count"] = 9
    table = recall({f"planted thing {i}": ("MV", f"planted thing {i}") for i in (0, 2, 3)}, truth)
    assert table.loc[("full", "all"), ["planted", "judged", "found"]].tolist() == [6, 6, 3]
    assert table.loc[("full", "9"), ["planted", "found"]].tolist() == [2, 1]
    assert table.loc[("full", "3"), ["planted", "found"]].tolist() == [4, 2]
    theirs = binomtest(3, 6).proportion_ci(0.95, method="wilson")
    assert abs(table.loc[("full", "all"), "low"] - theirs.low) < 1e-12


def test_another_image_is_found_any_but_not_found():
    table = recall({"planted thing 0": ("RV", "lone thing 0")})
    assert table.loc[("full", "all"), ["found", "found_any"]].tolist() == [0, 1]


def test_a_image_under_two_captions_is_one_thing_to_find():
    table = recall({"one image, name 1": ("MV", "one image, name 0")})
    assert table.loc[("image_only", "all"), ["planted", "found"]].tolist() == [1, 1]


def test_a_template_relative_is_found_family_only():
    table = recall({"carpet in colour 0": ("TV", "carpet in colour 1")})
    assert table.loc[("template", "all"), ["planted", "found", "found_family"]].tolist() == [
        2,
        0,
        1,
    ]


def test_a_repeated_caption_is_found_by_any_of_its_images():
    truth = make_truth()
    table = count_recall(
        make_labels(truth, {"the usual thing": ("RV", rows_of(truth, "the usual thing")[2])}),
        truth,
        0.95,
    ).set_index(["kind", "count"])
    assert table.loc[("repeated", "all"), ["planted", "found"]].tolist() == [1, 1]


def test_held_out_copies_are_false_alarms():
    table = recall({"unseen thing 0": ("MV", "planted thing 0")})
    assert table.loc[("held_out", "all"), ["planted", "found", "found_any"]].tolist() == [6, 0, 1]


def test_what_was_not_judged_is_planted_but_not_found():
    truth = make_truth()
    labels = make_labels(truth, {}, missing=("planted thing 1",))
    labels = labels[labels["caption"] != "planted thing 0"]
    table = count_recall(labels, truth, 0.95).set_index(["kind", "count"])
    assert table.loc[("full", "all"), ["planted", "judged", "found"]].tolist() == [6, 4, 0]


def test_a_model_that_judged_nothing_found_nothing():
    truth = make_truth()
    table = count_recall(make_labels(truth, {}).iloc[:0], truth, 0.95)
    assert table["planted"].gt(0).all()
    assert table["found"].eq(0).all()
    assert table["judged"].eq(0).all()
