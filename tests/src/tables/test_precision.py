import numpy as np
import pandas as pd
from made_results import make_labels, make_prompts, make_scores, make_truth, rows_of
from scipy.stats import binomtest

from verbatim.io.records import prompt_id
from verbatim.tables.precision import count_precision, rank_prompts


def labels_with(*found, **more):
    truth = make_truth()
    return make_labels(truth, {name: ("MV", rows_of(truth, name)[0]) for name in found}, **more)


def clusters():
    truth = make_truth()
    first = truth.groupby("image_id")["row"].transform("min")
    return pd.DataFrame({"row": truth["row"], "cluster": first})[truth["row"] >= 0]


def test_precision_at_every_depth_is_that_of_a_loop():
    labels = labels_with(*(f"planted thing {i}" for i in range(5)), review=("planted thing 1",))
    ranking = labels["prompt_id"].sample(frac=1, random_state=0).reset_index(drop=True)
    table = count_precision(ranking, labels, clusters(), 0.95)
    found = 0
    for k, key in enumerate(ranking, start=1):
        row = labels[labels["prompt_id"] == key].iloc[0]
        found += row["label"] in ("MV", "RV", "TV") and not row["review"]
        assert table.loc[k - 1, ["k", "found", "precision"]].tolist() == [k, found, found / k]
        theirs = binomtest(int(found), k).proportion_ci(0.95, method="wilson")
        assert abs(table.loc[k - 1, "high"] - theirs.high) < 1e-12
    assert found == 4


def test_a_curve_ends_before_the_first_prompt_that_was_not_judged():
    labels = labels_with("planted thing 0")
    known = labels["prompt_id"].tolist()
    ranking = pd.Series([known[0], known[1], prompt_id("never judged"), known[2]])
    assert count_precision(ranking, labels, clusters(), 0.95)["k"].tolist() == [1, 2]
    assert count_precision(ranking.iloc[2:], labels, clusters(), 0.95).empty
    assert count_precision(ranking.iloc[:0], labels, clusters(), 0.95).empty


def test_rankings_leave_out_extra_prompts_and_the_filter_keeps_the_order():
    prompts = make_prompts(make_truth())
    dcs = np.random.default_rng(0).permutation(len(prompts)).astype(float)
    tables = make_scores(prompts, dcs)
    got = rank_prompts(**tables, prompts=prompts)
    own = prompts[~prompts["extra"]]
    order = own["prompt_id"].iloc[np.argsort(-dcs[own.index])].tolist()
    assert got["DCS"].tolist() == order
    assert got["ECS"].tolist() == order
    kept = set(tables["postfilter"].loc[tables["postfilter"]["kept"], "prompt_id"])
    assert got["ECS+Carlini"].tolist() == [key for key in order if key in kept]
    assert 0 < len(got["ECS+Carlini"]) < len(order)


def test_two_prompts_that_copy_one_image_are_one_unique_find():
    truth = make_truth()
    rows = rows_of(truth, "planted thing 0")  # three rows of one image
    labels = make_labels(truth, {
        "planted thing 0": ("MV", rows[0]), "lone thing 0": ("RV", rows[2]),
        "planted thing 1": ("MV", rows_of(truth, "planted thing 1")[0]),
    })  # fmt: skip
    names = ["planted thing 0", "lone thing 1", "lone thing 0", "planted thing 1"]
    table = count_precision(pd.Series([prompt_id(n) for n in names]), labels, clusters(), 0.95)
    assert table["found"].tolist() == [1, 1, 2, 3]
    assert table["found_unique"].tolist() == [1, 1, 1, 2]
