"""Findings of a run: each is counted as a loop would, and says whether its goal is reached."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from verbatim.io.records import prompt_id
from verbatim.tables.findings import Run, count_copies, list_findings
from verbatim.tables.recall import count_recall

HELD, FULL, FAMILY = 300, 10, 20


def truth() -> pd.DataFrame:
    rows = []

    def add(caption, kind, image, copies, family=""):
        for copy in range(max(copies, 1)):
            rows.append({"caption": caption, "kind": kind, "image_id": image, "count": copies, "copy": copy,
                         "family": family, "match": -1, "distortion": "none", "group": "G",
                         "row": len(rows) if copies else -1})  # fmt: skip

    for i in range(FULL):
        add(f"full {i}", "full", i, 10 if i < 5 else 40)
    for i in range(FAMILY):
        add(f"member {i}", "template", 100 + i, 1, "t")
    for i in range(30):
        add(f"single {i}", "single", 200 + i, 1)
    for i in range(HELD):
        add(f"held {i}", "held_out", 1000 + i, 0)
    return pd.DataFrame(rows)


TRUTH = truth()
ROW = TRUTH[TRUTH.row >= 0].drop_duplicates("caption").set_index("caption")["row"]


def labels(
    copied: dict[str, str], distance: float = 0.04, source: dict[str, str] | None = None
) -> pd.DataFrame:
    """Of every caption: a label, N unless named; the source is its own image unless named."""
    table = TRUTH.drop_duplicates("caption").reset_index(drop=True)
    source = source or {}
    return pd.DataFrame(
        {
            "prompt_id": [prompt_id(c) for c in table.caption],
            "extra": table.kind.eq("held_out"),
            "label": [copied.get(c, "N") for c in table.caption],
            "review": False,
            "source_row": [int(ROW.get(source.get(c, c), 0)) for c in table.caption],
            "distance_mv": distance,
        }
    )


GOOD = {f"full {i}": "MV" for i in range(FULL)} | {f"member {i}": "TV" for i in range(FAMILY)}


def areas(model, auc, low, high):
    lines = [
        {"model": model, "positives": "full", "negatives": negatives, "detector": detector, "blind": False,
         "auc": auc, "low": low, "high": high, "n_pos": 10, "n_neg": 40}
        for negatives in ("held_out", "repeated") for detector in ("dcs_reference", "ecs_world")
    ]  # fmt: skip
    blind = {"detector": "n_words", "blind": True, "auc": 0.55, "low": 0.4, "high": 0.7}
    return [*lines, lines[0] | blind]


def recall_of(model: str, table: pd.DataFrame) -> pd.DataFrame:
    return count_recall(table, TRUTH, 0.95).assign(model=model)


@functools.cache
def models() -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Labels and recall of every model, which a test changes its own copy of."""
    copied = {
        "sd1": GOOD, "sd2": {f"member {i}": "TV" for i in range(12)},
        "tuned": {f"full {i}": "MV" for i in range(6)}, "other": {"full 9": "MV", "member 0": "TV"},
    }  # fmt: skip
    tables = {model: labels(some) for model, some in copied.items()}
    return {model: (table, recall_of(model, table)) for model, table in tables.items()}


def make_run(changes=None, **tables) -> Run:
    known = models() | {model: (t, recall_of(model, t)) for model, t in (changes or {}).items()}
    both = {model: table.copy() for model, (table, _) in known.items()}
    recall = pd.concat([recall for _, recall in known.values()])
    evaluation = pd.DataFrame(areas("sd1", 0.99, 0.97, 1.0) + areas("sd2", 0.52, 0.4, 0.64))
    kinds = evaluation.assign(kind="full", count="all")
    ks = np.arange(1, 5)
    precision = pd.DataFrame({"model": "sd1", "detector": "ECS+Carlini", "k": ks, "precision": 1.0})
    prompts = pd.DataFrame(
        {"prompt_id": [prompt_id(c) for c in ROW.index],
         "cluster_size": [40 if c.startswith("full") else 1 for c in ROW.index]}
    )  # fmt: skip
    parts = {
        "evaluation": evaluation,
        "kinds": kinds,
        "precision": precision,
        "recall": recall,
    } | tables
    return Run(labels=both, truth=TRUTH, prompts=prompts, duplicated="sd1", deduplicated="sd2",
               tuned=("tuned",), others=("other",), **parts)  # fmt: skip


def find(findings: pd.DataFrame, text: str, model: str) -> pd.Series:
    (found,) = findings[findings.finding.str.startswith(text) & findings.model.eq(model)].to_dict(
        "records"
    )
    return found


def test_a_convincing_run_holds_to_every_goal():
    findings = list_findings(make_run())
    assert set(findings.holds) == {"yes"}, findings[findings.holds != "yes"]
    assert find(findings, "held-out prompts", "sd1")["n"] == HELD
    assert find(findings, "recall of full", "sd1")["value"] == 1


@pytest.mark.parametrize(("false", "holds"), [(3, "yes"), (4, "no")])
def test_one_in_a_hundred_held_out_prompts_may_be_called_a_copy(false, holds):
    copied = GOOD | {f"held {i}": "RV" for i in range(false)}
    line = find(list_findings(make_run({"sd1": labels(copied)})), "held-out prompts", "sd1")
    assert line["value"] == pytest.approx(false / HELD)
    assert line["low"] < line["value"] < line["high"]
    assert line["holds"] == holds


def test_paraphrases_are_counted_apart_and_have_no_goal():
    truth = TRUTH.assign(
        kind=TRUTH.kind.mask(TRUTH.caption.isin(["held 0", "held 1"]), "paraphrase")
    )
    copied = GOOD | {f"held {i}": "RV" for i in range(2)}
    run = replace(make_run({"sd1": labels(copied)}), truth=truth)
    findings = list_findings(run)
    assert find(findings, "held-out prompts", "sd1")["value"] == 0
    line = find(findings, "paraphrases", "sd1")
    assert (line["value"], line["n"], line["holds"]) == (1, 2, "yes")


def test_prompts_without_a_verdict_say_nothing():
    missing = {f"held {i}": "missing" for i in range(HELD)}
    line = find(list_findings(make_run({"other": labels(missing)})), "held-out prompts", "other")
    assert (line["n"], line["holds"]) == (0, "not measured")


def test_a_copy_that_a_guard_set_aside_counts_nowhere():
    table = labels(GOOD | {f"held {i}": "RV" for i in range(9)})
    table["review"] = table["label"].eq("RV")
    assert (
        find(list_findings(make_run({"sd1": table})), "held-out prompts", "sd1")["holds"] == "yes"
    )
    assert count_copies(table) == {"MV": FULL, "RV": 0, "TV": FAMILY}


def test_recall_that_does_not_grow_and_copies_that_are_far_are_told():
    few = {f"full {i}": "MV" for i in range(5)}  # the least met ones alone
    findings = list_findings(make_run({"sd1": labels(few, distance=0.09)}))
    assert find(findings, "recall of full", "sd1")["holds"] == "no"
    assert find(findings, "recall of the most met", "sd1")["value"] == -1
    assert find(findings, "recall of the most met", "sd1")["holds"] == "no"
    assert find(findings, "median distance", "sd1")["holds"] == "no"


@pytest.mark.parametrize(
    ("model", "copied", "finding"),
    [
        ("sd2", {"full 1": "MV"} | {f"member {i}": "TV" for i in range(12)}, "exact copies"),
        ("sd2", {f"single {i}": "RV" for i in range(3)}, "retrieved copies"),
        ("sd2", {f"member {i}": "TV" for i in range(9)}, "templates"),
        ("tuned", {f"full {i}": "MV" for i in range(4)}, "exact copies"),
        ("other", {"member 0": "TV"}, "exact copies"),
        ("other", {"full 1": "MV"} | {f"member {i}": "TV" for i in range(20)}, "templates"),
    ],
)
def test_counts_of_table_1_are_held_against_the_model_trained_on_everything(model, copied, finding):
    findings = list_findings(make_run({model: labels(copied)}))
    assert find(findings, finding, model)["holds"] == "no"


def test_a_blind_baseline_whose_interval_leaves_one_half_is_named():
    evaluation = pd.DataFrame(areas("sd1", 0.99, 0.97, 1.0))
    blind = evaluation["blind"]
    evaluation.loc[blind, ["auc", "low", "high"]] = [0.7, 0.6, 0.8]
    findings = list_findings(make_run(evaluation=evaluation))
    line = find(findings, "blind baselines, negatives held_out", "sd1")
    assert line["finding"].endswith(": n_words")
    assert (line["value"], line["holds"]) == (0.7, "no")


def test_an_area_of_the_deduplicated_model_that_leaves_one_half_is_told():
    evaluation = pd.DataFrame(areas("sd1", 0.9, 0.8, 0.95) + areas("sd2", 0.8, 0.7, 0.9))
    findings = list_findings(make_run(evaluation=evaluation))
    assert find(findings, "dcs_reference AUC, full against held_out", "sd1")["holds"] == "no"
    assert find(findings, "ecs_world AUC, full against held_out", "sd2")["holds"] == "no"
    # repeated captions are met as often as before: no comparison for what was deduplicated
    assert findings[findings.model.eq("sd2") & findings.finding.str.contains("repeated")].empty


def test_templates_that_are_duplicates_and_copies_that_are_not_are_told():
    run = make_run()
    run.prompts["cluster_size"] = 41 - run.prompts["cluster_size"]
    findings = list_findings(run)
    assert find(findings, "share of copies", "sd1")["holds"] == "no"
    assert find(findings, "share of templates", "sd1")["holds"] == "no"
