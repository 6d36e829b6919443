"""The scripts of `tables`, run as a job runs them, on a whole made-up run."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from made_results import MODELS, SEEDS, THRESHOLDS, write_run

from verbatim.config.decisions import DecisionError
from verbatim.io.images import ImageArchive, write_archive
from verbatim.io.records import read_table, write_table

ROOT = Path(__file__).resolve().parents[3]
KEYS = [one["model"] for one in MODELS]
ATTACKED = [one["model"] for one in MODELS if one["attacked"]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    return root


def files(root, pattern, keys=KEYS):
    return [root / pattern.format(model=key) for key in keys]


def labels_of(root, keys=KEYS):
    return files(root, "labels/{model}/labels.parquet", keys)


def scores_of(root):
    return {
        stage: files(root, stage + "/{model}/scores.parquet", ATTACKED)
        for stage in ("whitebox", "blackbox", "postfilter")
    }


def make_table1(run_script, root, decisions=None):
    run_script(
        "tables/count_labels.py",
        input={
            "labels": labels_of(root),
            "clusters": root / "dedup/clusters.parquet",
            "decisions": decisions or ROOT / "config/review.csv",
        },
        output={"table": root / "table1.csv"},
        params={
            "models": [{k: one[k] for k in ("model", "name", "deduplicated")} for one in MODELS],
            "known": KEYS,
        },
    )
    return pd.read_csv(root / "table1.csv")


def make_costs_table(run_script, root):
    run_script(
        "tables/merge_costs.py",
        input={"costs": [*files(root, "labels/{model}/cost.parquet"),
                         *files(root, "whitebox/{model}/cost.parquet", ATTACKED),
                         *files(root, "blackbox/{model}/cost.parquet", ATTACKED)]},
        output={"table": root / "tables/costs.csv"},
        params={"images": 500, "steps": 10},
    )  # fmt: skip
    return pd.read_csv(root / "tables/costs.csv")


def test_table_1_has_the_columns_of_the_paper_and_a_row_a_model_in_order(run_script, finished):
    table = make_table1(run_script, finished)
    assert list(table.columns[:5]) == [
        "Model",
        "Deduplicated training",
        "Retrieved",
        "Template",
        "Exact",
    ]
    assert table.iloc[:, :5].to_numpy().tolist() == [
        ["SD V1", "no", 1, 1, 5], ["SD V2", "yes", 0, 1, 0], ["Deep Image Floyd", "yes", 0, 1, 0],
    ]  # fmt: skip
    # the retrieved image is one that was also copied exactly
    assert table["Unique sources"].tolist() == [6, 1, 1]
    assert table["Review"].tolist() == [1, 1, 1]


def test_decisions_of_the_review_file_are_honoured_and_a_wrong_one_is_refused(
    run_script, finished, tmp_path
):
    labels = read_table(labels_of(finished)[0], "labels")
    copy = labels[labels["label"].eq("MV") & ~labels["review"]].iloc[0]
    file = tmp_path / "review.csv"
    head = "model,prompt_id,decision,note,reviewer,date\n"
    file.write_text(head + f"sd1,{copy.prompt_id},reject,another drawing,me,2026-01-31\n")
    before, after = make_table1(run_script, finished), make_table1(run_script, finished, file)
    assert after.loc[0, "Exact"] == before.loc[0, "Exact"] - 1
    assert (after.loc[0, "Rejected"], before.loc[0, "Rejected"]) == (1, 0)
    file.write_text(head + "sd1,5,reject,,,\n")
    with pytest.raises(DecisionError, match=r"line 2: prompt_id 5 .* no candidate of sd1"):
        make_table1(run_script, finished, file)
    make_table1(run_script, finished)


def test_the_paper_stands_beside_it(run_script, finished):
    make_table1(run_script, finished)
    run_script(
        "tables/compare_paper.py",
        input={"table1": finished / "table1.csv", "paper": "config/paper_values.tsv"},
        output={"table": finished / "tables/table1_vs_paper.csv"},
        params={"references": {one["name"]: one["reference"] for one in MODELS}},
    )
    table = pd.read_csv(finished / "tables/table1_vs_paper.csv").set_index("Model")
    assert table.loc["SD V1", ["Exact", "Exact (paper)"]].tolist() == [5, 71]
    assert table.loc["Deep Image Floyd", "Template (paper)"] == 15
    assert pd.isna(table.loc["Midjourney v4", "Exact"])


def test_costs_of_all_jobs(run_script, finished):
    table = make_costs_table(run_script, finished).set_index(["stage", "model"])
    assert len(table) == 3 + 2 + 2 + 2
    assert table.loc[("whitebox+blackbox", "sd1"), "unet_rows"] == 200


@pytest.mark.slow
def test_recall_and_confusion_have_every_model(run_script, finished):
    draws = {"resamples": 50, "seed": 0}
    jobs = (("count_recall", "recall", {}), ("compare_truth", "confusion", draws))
    for script, name, more in jobs:
        run_script(
            f"tables/{script}.py",
            input={"truth": finished / "world/truth.parquet", "labels": labels_of(finished)},
            output={"table": finished / f"tables/{name}.csv"},
            params={"models": KEYS, "confidence": 0.95} | more,
        )
    recall = pd.read_csv(finished / "tables/recall.csv")
    full = recall[(recall["kind"] == "full") & (recall["count"] == "all")].set_index("model")
    assert full["found"].to_dict() == {"sd1": 5, "sd2": 0, "if": 0}
    confusion = pd.read_csv(finished / "tables/confusion.csv").set_index(["model", "label", "kind"])
    assert confusion.loc[("sd1", "copy", "all"), ["prompts", "source_planted"]].tolist() == [7, 7]


@pytest.mark.slow
def test_detectors_are_judged_and_their_scores_listed(run_script, finished):
    run_script(
        "tables/score_detectors.py",
        input={"truth": finished / "world/truth.parquet", "prompts": finished / "dedup/prompts.parquet",
               **scores_of(finished), "labels": labels_of(finished, ATTACKED), "detectors": []},
        output={"table": finished / "tables/evaluation.csv", "prompts": finished / "tables/detectors.csv",
                **{name: finished / f"tables/{name}.csv" for name in ("kinds", "roc", "depths")}},
        params={"models": ATTACKED, "fpr": 0.05, "fpr_strict": [0.01], "depths": [5, 10], "resamples": 50, "folds": 3, "confidence": 0.95, "seed": 0},
    )  # fmt: skip
    table = pd.read_csv(finished / "tables/evaluation.csv")
    hit = table.query(
        "detector == 'dcs_reference' and positives == 'full' and negatives == 'held_out'"
    )
    assert hit["model"].tolist() == ATTACKED
    assert hit["auc"].iloc[0] == 1.0
    assert hit["found"].tolist() == [
        pytest.approx(5 / 6, abs=1e-5),
        0,
    ]
    kinds = pd.read_csv(finished / "tables/kinds.csv")
    assert set(kinds["kind"]) == {"full", "image_only", "template"}
    depths = pd.read_csv(finished / "tables/depths.csv").set_index(["model", "detector", "k"])
    assert depths.loc[("sd1", "dcs_reference", 5), ["precision_planted", "preset"]].tolist() == [1, "reference"]  # fmt: skip
    assert set(pd.read_csv(finished / "tables/roc.csv")["model"]) == set(ATTACKED)
    for table in (hit, kinds, depths):
        assert (table["label_preset"] == "paper").all()
    prompts = read_table(finished / "dedup/prompts.parquet", "prompts")
    scores = pd.read_csv(finished / "tables/detectors.csv")
    assert set(scores["prompt_id"]) == set(prompts["prompt_id"])  # as whole numbers, none rounded


def test_precision_of_every_ranking(run_script, finished):
    run_script(
        "tables/count_precision.py",
        input={"prompts": finished / "dedup/prompts.parquet", **scores_of(finished),
               "labels": labels_of(finished, ATTACKED), "clusters": finished / "dedup/clusters.parquet"},
        output={"table": finished / "tables/precision.csv"},
        params={"models": ATTACKED, "confidence": 0.95},
    )  # fmt: skip
    table = pd.read_csv(finished / "tables/precision.csv")
    last = table.groupby(["model", "detector"])["found"].max()
    assert last["sd1", "DCS"] == 7
    assert last["sd2", "DCS"] == 1
    assert set(table["preset"]) == {"reference", "world", "world+world"}
    assert (table["found_unique"] <= table["found"]).all()


def make_scores_table(run_script, root):
    """scores.csv, of what evaluation.csv, depths.csv and costs.csv say."""
    make_costs_table(run_script, root)
    run_script(
        "tables/compare_scores.py",
        input={name: root / f"tables/{name}.csv" for name in ("evaluation", "depths", "costs")}
        | {"detectors": []},
        output={"table": root / "tables/scores.csv"},
        params={"models": ATTACKED, "depths": [5, 10]},
    )
    return pd.read_csv(root / "tables/scores.csv")


@pytest.mark.slow
def test_runs_of_several_seeds_are_compared(run_script, finished):
    make_table1(run_script, finished)
    test_recall_and_confusion_have_every_model(run_script, finished)
    test_detectors_are_judged_and_their_scores_listed(run_script, finished)
    scores = make_scores_table(run_script, finished).set_index(["model", "detector"])
    assert scores.loc[("sd1", "dcs_reference"), ["blind", "auc", "precision_5"]].tolist() == [
        False,
        1,
        1,
    ]
    assert scores.loc[("sd1", "words"), ["blind", "unet_rows"]].tolist() == [True, 0]
    names = ("recall", "evaluation", "kinds", "scores", "depths", "confusion")
    run_script(
        "tables/compare_seeds.py",
        input={"table1": [finished / "table1.csv"] * 2}
        | {name: [finished / f"tables/{name}.csv"] * 2 for name in names},
        output={"table": finished / "tables/seeds.csv"},
        params={"seeds": [0, 1], "confidence": 0.95},
    )
    table = pd.read_csv(finished / "tables/seeds.csv").set_index(
        ["table", "model", "item", "quantity"]
    )
    exact = table.query("table == 'table1' and model == 'SD V1' and quantity == 'Exact'").iloc[0]
    assert (exact["mean"], exact["min"], exact["runs"]) == (5, 5, 2)
    auc = table.loc[("evaluation", "sd1", "dcs_reference / full / held_out", "auc")]
    assert auc["mean"] == 1


@pytest.fixture
def check(run_script, finished, tmp_path):
    """Check a copy of the run, after a change to it; returns the report."""
    root = tmp_path / "copy"

    def run(change=lambda root: None):
        make_table1(run_script, finished)
        make_costs_table(run_script, finished)
        shutil.copytree(finished, root)
        change(root)
        run_script(
            "tables/check_results.py",
            input={"tests": "tests/results/test_results.py"},
            output={"report": root / "checks.txt"},
            params={
                "settings": {
                    "results": str(root), "shards": ["00000"], "thresholds": THRESHOLDS, "seeds": SEEDS, "decisions": "", "known": KEYS,
                    "models": [
                        {k: one[k] for k in ("model", "name", "attacked", "trained_on_kept")}
                        for one in MODELS
                    ],
                }
            },
        )  # fmt: skip
        return (root / "checks.txt").read_text().splitlines()

    return run


@pytest.mark.slow
def test_a_sound_run_passes_and_every_check_has_its_line(check):
    lines = check()
    assert all(line.startswith("ok ") for line in lines)
    assert "ok     every judged prompt has its generations[if]" in lines
    assert "ok     deduplicated model was trained on the kept rows[sd2]" in lines
    assert len(lines) == len(set(lines)) > 25


@pytest.mark.slow
def test_a_broken_run_fails_with_a_list_of_what_is_wrong(check, tmp_path):
    def change(root):
        path = root / "labels/sd1/labels.parquet"
        labels = read_table(path, "labels")
        labels.loc[labels["label"] == "MV", ["distance", "distance_mv"]] = 0.2
        labels.loc[labels["label"] == "RV", "source_row"] = 12345
        write_table(path, "labels", labels)
        with ImageArchive(root / "labels/if/images.zip") as images:
            members = list(images)
        write_archive(root / "labels/if/images.zip", members[1:])
        (root / "blackbox/sd2/scores.parquet").unlink()

    with pytest.raises(RuntimeError) as failed:
        check(change)
    text = str(failed.value)
    assert text.startswith("5 of ")
    assert (
        "distances are below the threshold of their label[sd1]: Failed: labels/sd1/labels.parquet: MV"
        in text
    )
    assert "row 12345" in text
    assert "no training image 12345.png" in text
    assert "labels/if/images.zip: no generation" in text
    assert "blackbox/sd2/scores.parquet: no such file" in text
    assert not (tmp_path / "copy/checks.txt").exists()
