"""Which jobs a result comes from, and whether the time that a record tells is the job's."""

import dataclasses

import pytest

from verbatim.release.snakemake_records import Job, RecordError, read_usage, select_upstream


def job(rule, inputs, outputs, **times):
    known = {"started": 100.0, "ended": 110.0, "logged": 110.5, "usage": {"s": "9.8"}} | times
    return Job(rule, tuple(inputs), tuple(outputs), f"results/logs/a/{rule}.log", **known)


ROWS = job("build_rows", ["laion/0.parquet"], ["results/rows"])
SCORES = job("score_rows", ["results/rows/0.parquet"], ["results/scores.parquet"])
LABELS = job("label_rows", ["results/rows/0.parquet", "results/scores.parquet"], ["results/labels"])
OTHER = job("build_index", ["results/rows/0.parquet"], ["results/index"])


def test_the_jobs_of_a_result_stand_behind_those_of_its_inputs():
    found = select_upstream([OTHER, LABELS, SCORES, ROWS], ["results/labels"])
    assert [one.rule for one in found] == ["build_rows", "score_rows", "label_rows"]


def test_a_file_comes_from_the_job_that_made_its_folder():
    assert select_upstream([ROWS], ["results/rows/0.parquet"]) == [ROWS]


def test_a_job_stands_once_however_many_results_it_has_part_in():
    found = select_upstream([ROWS, SCORES, LABELS], ["results/labels", "results/scores.parquet"])
    assert len(found) == 3


def test_records_that_go_in_a_circle_end():
    a, b = job("a", ["results/b"], ["results/a"]), job("b", ["results/a"], ["results/b"])
    assert {one.rule for one in select_upstream([a, b], ["results/a"])} == {"a", "b"}


def test_a_result_without_a_job_is_refused_by_name():
    with pytest.raises(RecordError, match=r"results/none\.csv"):
        select_upstream([ROWS], ["results/none.csv"])


@pytest.mark.parametrize(
    ("times", "timed"),
    [
        ({}, True),
        ({"started": 20.0}, True),  # it waited in a cluster's queue
        ({"logged": 104.0}, True),  # its process took long to end
        ({"ended": 100.5}, False),  # touched without an earlier record
        ({"ended": 5000.0}, False),  # touched: the log is older
        ({"logged": 0.0}, False),
        ({"usage": {}}, False),
        ({"usage": {"s": "-"}}, False),
    ],
)
def test_a_time_that_log_or_benchmark_contradict_is_not_the_jobs(times, timed):
    assert dataclasses.replace(ROWS, **times).timed is timed


def test_a_missing_benchmark_tells_nothing(tmp_path):
    assert read_usage(tmp_path / "none.tsv") == {}
    (tmp_path / "empty.tsv").write_text("s\th:m:s\n")
    assert read_usage(tmp_path / "empty.tsv") == {}
