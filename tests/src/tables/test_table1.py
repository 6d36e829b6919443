import pandas as pd
import pytest
from made_results import make_labels, make_truth

from verbatim.tables.table1 import TableError, compare_paper, count_labels

MODELS = [{"model": "sd2", "name": "SD V2", "deduplicated": "yes"}]


@pytest.fixture
def truth():
    return make_truth()


def count(labels, clusters=()):
    table = pd.DataFrame(clusters, columns=["row", "cluster"]).astype("int64")
    return count_labels(MODELS, {"sd2": labels}, table).iloc[0].to_dict()


def test_counts_are_those_of_a_loop_over_labels(truth):
    copies = {f"planted thing {i}": ("MV", i) for i in range(4)}
    copies |= {"lone thing 0": ("RV", 7), "carpet in colour 0": ("TV", 8)}
    labels = make_labels(
        truth, copies, review=("planted thing 3", "lone thing 5"), missing=("lone thing 4",)
    )
    own = [row for row in labels.itertuples() if not row.extra]
    got = count(labels)
    for label, name in (("MV", "Exact"), ("RV", "Retrieved"), ("TV", "Template")):
        assert got[name] == sum(row.label == label and not row.review for row in own)
    assert (got["Exact"], got["Review"], got["Missing"]) == (3, 2, 1)
    assert got["Judged"] == len(own) - 1


def test_extra_prompts_do_not_count(truth):
    assert count(make_labels(truth, {"unseen thing 0": ("MV", 0)}))["Exact"] == 0


def test_copies_of_one_cluster_are_one_source(truth):
    copies = {f"planted thing {i}": ("MV", i) for i in range(4)}
    labels = make_labels(truth, copies)
    assert count(labels)["Unique sources"] == 4
    assert count(labels, [(0, 0), (1, 0), (2, 0)])["Unique sources"] == 2


def test_what_a_person_rejected_is_not_counted_and_what_was_accepted_is(truth):
    copies = {f"planted thing {i}": ("MV", i) for i in range(4)} | {"lone thing 0": ("RV", 7)}
    labels = make_labels(truth, copies, review=("planted thing 3", "lone thing 5", "lone thing 0"))
    ids = labels.set_index("caption")["prompt_id"]
    decisions = {
        ids["planted thing 0"]: "reject", ids["planted thing 3"]: "accept", ids["lone thing 0"]: "reject",
        ids["lone thing 1"]: "accept", ids["unseen thing 0"]: "accept",
    }  # fmt: skip
    table = pd.DataFrame({"row": [], "cluster": []}, dtype="int64")
    got = count_labels(MODELS, {"sd2": labels}, table, {"sd2": decisions}).iloc[0].to_dict()
    plain = count(labels)
    assert (plain["Exact"], plain["Review"], plain["Accepted"], plain["Rejected"]) == (3, 3, 0, 0)
    assert got["Exact"] == 3  # one less, and one that a guard had set aside
    assert got["Retrieved"] == 0
    assert got["Review"] == 1  # one is left undecided
    assert (got["Accepted"], got["Rejected"]) == (2, 2)  # an N too; extra prompts do not count
    assert got["Judged"] == plain["Judged"]
    assert got["Unique sources"] == 3
    assert list(got)[:5] == ["Model", "Deduplicated training", "Retrieved", "Template", "Exact"]


def test_mixed_presets_are_refused_by_name(truth):
    labels = make_labels(truth, {})
    labels.loc[0, "preset"] = "carlini"
    with pytest.raises(TableError, match=r"sd2.*'carlini', 'paper'"):
        count(labels)


def test_a_model_without_prompts_has_a_row_of_zeros(truth):
    got = count(make_labels(truth, {}).iloc[:0])
    assert (got["Exact"], got["Judged"], got["Preset"]) == (0, 0, "")


PAPER = pd.DataFrame(
    {"reference": ["SD V1", "Midjourney v4"], "deduplicated": ["no", "unknown"], "retrieved": [37, 5],
     "template": [45, 8], "exact": [71, 2]}
)  # fmt: skip


def ours(*names):
    return pd.DataFrame(
        {"Model": names, "Deduplicated training": "no", "Retrieved": 1, "Template": 2, "Exact": 3,
         "Judged": 9}
    )  # fmt: skip


def test_each_model_stands_beside_its_own_reference_and_the_paper_rest_follows():
    table = compare_paper(ours("SD V1", "mine"), {"SD V1": "SD V1", "mine": ""}, PAPER)
    assert list(table["Model"]) == ["SD V1", "mine", "Midjourney v4"]
    assert list(table["Exact"].astype(object).fillna("")) == [3, 3, ""]
    assert list(table["Exact (paper)"].astype(object).fillna("")) == [71, "", 2]
    assert list(table["Template (paper)"].astype(object).fillna("")) == [45, "", 8]


def test_a_reference_that_the_paper_lacks_is_refused_by_name():
    with pytest.raises(TableError, match=r"'SD V9'.*known.*'SD V1'"):
        compare_paper(ours("mine"), {"mine": "SD V9"}, PAPER)


def test_paper_values_are_as_printed_in_table_1():
    from pathlib import Path

    file = Path(__file__).parents[3] / "config" / "paper_values.tsv"
    table = pd.read_csv(file, sep="\t", index_col="reference")
    assert table.loc["OpenJourney", ["retrieved", "template", "exact"]].tolist() == [14, 29, 73]
    assert table[["retrieved", "template", "exact"]].sum().tolist() == [71, 150, 242]
