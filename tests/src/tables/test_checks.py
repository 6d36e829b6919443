import numpy as np
import pandas as pd
import pytest
from made_results import SEEDS, THRESHOLDS, make_costs, make_labels, make_truth, rows_of

from verbatim.io.images import generation_name, missing_name, row_name
from verbatim.tables import checks
from verbatim.tables.costs import merge_costs
from verbatim.tables.table1 import count_labels


@pytest.fixture
def labels():
    truth = make_truth()
    copies = {"planted thing 0": ("MV", rows_of(truth, "planted thing 0")[0]),
              "lone thing 0": ("RV", 0), "carpet in colour 0": ("TV", 1)}  # fmt: skip
    return make_labels(truth, copies, review=("lone thing 1",), missing=("lone thing 2",))


def test_sound_labels_pass_every_check(labels):
    rows = pd.Series(range(40))
    assert checks.unique_keys("x", labels, ["prompt_id"]) == []
    assert checks.labels_known("x", labels) == []
    assert checks.sources_exist("x", labels, rows) == []
    assert checks.distances_below("x", labels, THRESHOLDS) == []
    names = [generation_name(p, s) for p in labels["prompt_id"] for s in SEEDS]
    assert checks.generations_complete("x", labels, SEEDS, names) == []
    masks = [name for name in labels["mask_file"] if name]
    assert checks.images_kept("x", labels, map(row_name, range(40)), masks) == []


def test_a_key_met_twice_is_named(labels):
    twice = pd.concat([labels, labels.head(1)])
    assert str(labels["prompt_id"][0]) in checks.unique_keys("x", twice, ["prompt_id"])[0]


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf])
def test_a_score_outside_its_range_is_named(value):
    table = pd.DataFrame({"prompt_id": [1, 22], "ecs": [0.5, value]})
    assert "prompt 22" in checks.values_between("x", table, "ecs", 0, 1)[0]
    assert checks.values_between("x", table.head(1), "ecs", 0, 1) == []


def test_an_infinite_confidence_score_is_refused():
    table = pd.DataFrame({"prompt_id": [1], "dcs": [np.inf]})
    assert checks.values_between("x", table, "dcs", 0)


def test_a_score_may_lack_where_no_seed_has_one_and_the_prompt_is_last():
    table = pd.DataFrame(
        {"prompt_id": [1, 22], "dcs": [0.5, np.nan], "n_seeds": [2, 0], "rank": [0, 1]}
    )
    assert checks.values_between("x", table, "dcs", 0, may_lack=True) == []
    assert checks.values_between("x", table.assign(dcs=[0.5, np.inf]), "dcs", 0, may_lack=True)
    assert checks.unscored_without_seeds("x", table, "dcs") == []
    assert "22" in checks.unscored_without_seeds("x", table.assign(n_seeds=2), "dcs")[0]
    assert "before" in checks.unscored_without_seeds("x", table.assign(rank=[1, 0]), "dcs")[0]


def test_ranks_with_a_gap_are_refused():
    assert checks.ranks_complete("x", pd.DataFrame({"rank": [0, 2, 1]})) == []
    assert checks.ranks_complete("x", pd.DataFrame({"rank": [0, 2]}))


def test_an_unknown_label_is_named(labels):
    labels.loc[0, "label"] = "XV"
    assert "XV" in checks.labels_known("x", labels)[0]


def test_a_copy_of_no_training_row_is_named(labels):
    labels.loc[labels["label"] == "RV", "source_row"] = 999
    assert "row 999" in checks.sources_exist("x", labels, pd.Series(range(40)))[0]


def test_a_distance_above_the_threshold_of_its_label_is_named(labels):
    labels.loc[labels["label"] == "TV", ["distance", "distance_tv"]] = 0.13
    fault = checks.distances_below("x", labels, THRESHOLDS)
    assert len(fault) == 1
    assert "TV" in fault[0]
    assert "0.13" in fault[0]
    assert checks.distances_below("x", labels, THRESHOLDS | {"tv": 0.14}) == []


def test_a_distance_that_is_another_labels_is_named(labels):
    labels.loc[labels["label"] == "MV", "distance_mv"] = 0.11
    assert "distance_mv" in checks.distances_below("x", labels, THRESHOLDS)[0]


def test_a_copy_without_a_distance_is_named(labels):
    labels.loc[labels["label"] == "MV", "distance"] = np.nan
    assert checks.distances_below("x", labels, THRESHOLDS)


def test_a_lost_generation_is_named(labels):
    names = [generation_name(p, s) for p in labels["prompt_id"] for s in SEEDS]
    assert names[3] in checks.generations_complete("x", labels, SEEDS, names[:3] + names[4:])[0]


def test_a_generation_that_is_recorded_as_missing_is_not_lost(labels):
    names = [generation_name(p, s) for p in labels["prompt_id"] for s in SEEDS]
    some = [missing_name(names[3]), *names[:3], *names[4:]]
    assert checks.generations_complete("x", labels, SEEDS, some) == []


def test_lost_sources_and_masks_are_named(labels):
    faults = checks.images_kept("x", labels, [], [])
    assert len(faults) == 2
    assert "0.png" in faults[0]
    assert "mask" in faults[1]


def test_a_table_1_that_does_not_add_up_is_named(labels):
    none = pd.DataFrame({"row": [], "cluster": []}, dtype="int64")
    models = [{"model": "sd1", "name": "SD V1", "deduplicated": "no"}]
    table1 = count_labels(models, {"sd1": labels}, none)
    assert checks.table1_adds_up(table1, "SD V1", labels, ["SD V1"]) == []
    assert (
        "Exact 1, its labels say 0"
        in checks.table1_adds_up(table1, "SD V1", labels[labels["label"] != "MV"], ["SD V1"])[0]
    )
    assert (
        "the model sheet has" in checks.table1_adds_up(table1, "SD V1", labels, ["SD V1", "IF"])[0]
    )


def test_a_table_1_that_honours_no_decision_is_named(labels):
    none = pd.DataFrame({"row": [], "cluster": []}, dtype="int64")
    models = [{"model": "sd1", "name": "SD V1", "deduplicated": "no"}]
    copy = labels.loc[labels["label"] == "MV", "prompt_id"].iloc[0]
    for decisions in ({copy: "reject"}, {copy: "accept"}):
        table1 = count_labels(models, {"sd1": labels}, none, {"sd1": decisions})
        assert checks.table1_adds_up(table1, "SD V1", labels, ["SD V1"], decisions) == []
        assert checks.table1_adds_up(table1, "SD V1", labels, ["SD V1"])


def test_prompts_judged_for_nothing_are_named():
    costs = merge_costs(make_costs("labels", "if", 3, 0), 500, 10)
    assert "labels/if" in checks.costs_positive(costs)[0]
    assert checks.costs_positive(merge_costs(make_costs("labels", "if", 3, 9), 500, 10)) == []


def test_rows_trained_on_beside_the_kept_ones_are_named():
    kept = pd.Series([1, 2, 3])
    assert checks.trained_on("sd2", kept, kept) == []
    assert "dropped: 7" in checks.trained_on("sd2", pd.Series([1, 2, 3, 7]), kept)[0]
    assert "kept rows 3" in checks.trained_on("sd2", pd.Series([1, 2]), kept)[0]


@pytest.mark.parametrize(
    ("kept", "fault"),
    [([0, 2, 3], ""), ([1, 2, 3], ""), ([0, 1, 2, 3], "two rows of cluster 0"), ([2, 3], "no row left of cluster 0"),
     ([0, 3], "no row left of cluster 2"), ([0, 2, 3, 9], "no such row: 9"), ([0, 2, 3, 4], "")],
)  # fmt: skip
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_deduplication_keeps_one_row_of_each_cluster_and_all_others(kept, fault, cut):
    clusters = pd.DataFrame({"row": [0, 1], "cluster": [0, 0]})
    rows = pd.DataFrame({"row": range(5), "status": ["ok"] * 4 + ["bad_embedding"]})
    tables = (pd.DataFrame({"row": kept}), clusters, rows)
    shards = [[t[t["row"] < cut] for t in tables], [t[t["row"] >= cut] for t in tables]]
    faults = checks.kept_rows_hold(shards, len(kept))
    assert fault in "".join(faults)
    assert bool(fault) == bool(faults)


def test_a_kept_row_beyond_all_shards_is_counted():
    one = pd.DataFrame({"row": [0], "status": "ok", "cluster": 0})
    assert checks.kept_rows_hold([(one, one[:0], one)], 1) == []
    assert checks.kept_rows_hold([(one, one[:0], one)], 3) == [
        "kept_rows: 2 rows outside the shards"
    ]


def test_long_lists_of_faults_are_cut():
    table = pd.DataFrame({"prompt_id": range(50), "ecs": 2.0})
    assert "and 45 more" in checks.values_between("x", table, "ecs", 0, 1)[0]
