"""Findings of several runs side by side."""

import numpy as np
import pandas as pd

from verbatim.tables.findings_runs import ABSENT, compare_findings


def findings(*lines):
    columns = ["finding", "model", "value", "low", "high", "n", "goal", "holds"]
    return pd.DataFrame(lines, columns=columns)


RECALL = ("recall", "sd1", 0.96, 0.8, 0.99, 25, "at least 0.85", "yes")
BLIND = ("blind baselines, kind full", "sd1", 0.5, 0.4, 0.6, 25, "holds 0.5", "yes")


def test_a_finding_stands_beside_itself_with_interval_and_what_is_missed():
    seed = findings(("recall", "sd1", 0.5, 0.3, 0.7, 25, "at least 0.85", "no"))
    table = compare_findings(findings(RECALL), findings(RECALL), [seed, findings(RECALL)])
    assert table.iloc[0].to_dict() == {
        "finding": "recall", "model": "sd1", "goal": "at least 0.85", "this_run": "0.96 [0.8, 0.99]",
        "trained_anew": "0.96 [0.8, 0.99]", "other_seeds": "0.5 [0.3, 0.7] (no) / 0.96 [0.8, 0.99]",
    }  # fmt: skip


def test_a_run_without_the_finding_or_its_value_says_so():
    none = ("recall", "sd1", np.nan, np.nan, np.nan, 0, "at least 0.85", "not measured")
    table = compare_findings(findings(RECALL), findings(BLIND), [findings(none)])
    assert table[["trained_anew", "other_seeds"]].iloc[0].tolist() == [ABSENT, ABSENT]


def test_the_same_baselines_meet_though_one_run_names_those_that_fail():
    failed = ("blind baselines, kind full: words", "sd1", 0.7, 0.6, 0.8, 25, "holds 0.5", "no")
    table = compare_findings(findings(BLIND), findings(failed), [])
    assert table["trained_anew"].tolist() == ["0.7 [0.6, 0.8] (no)"]


def test_a_count_has_no_interval():
    exact = ("exact copies", "sd2", 0, np.nan, np.nan, 500, "at most 5%", "yes")
    table = compare_findings(findings(exact), findings(exact), [])
    assert table["this_run"].tolist() == ["0"]
