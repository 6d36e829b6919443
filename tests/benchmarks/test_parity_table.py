"""The table of tests/benchmarks/parity.py says what was compared, and nothing that was not counts as equal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.parity import copies, denoising, duplicates, edges, estimates, labels
from benchmarks.parity.comparison import (
    BEYOND,
    FAILED,
    NOT_COMPARED,
    WITHIN,
    Comparison,
    Measured,
    compare,
    compare_all,
    largest,
    relative,
)

PARTS = (edges, labels, denoising, copies, duplicates, estimates)


def of(difference: float, pairs: int = 3, **more) -> Comparison:
    def measure(folder) -> Measured:
        return Measured(pairs, difference)

    return Comparison("a number", "ours", "theirs", 1e-6, "absolute", measure, **more)


@pytest.mark.parametrize(
    ("difference", "pairs", "within"),
    [
        (0.0, 3, WITHIN),
        (1e-6, 3, WITHIN),
        (2e-6, 3, BEYOND),
        (float("nan"), 3, BEYOND),
        (0.0, 0, BEYOND),
    ],
)
def test_a_row_agrees_only_where_something_was_compared_and_lies_within_the_tolerance(
    difference, pairs, within, tmp_path
):
    assert compare(of(difference, pairs), tmp_path)["within"] == within


def test_a_package_that_is_not_there_is_named_and_its_row_is_not_compared(tmp_path):
    needs = {"json": "json", "no_such_module.part": "no-such-package"}
    row = compare(of(0.0, needs=needs), tmp_path)
    assert row["within"] == NOT_COMPARED
    assert row["note"] == "lacks no-such-package"
    assert row["pairs compared"] == 0


def test_a_package_that_lacks_one_of_its_own_is_named_with_it(tmp_path, monkeypatch):
    (tmp_path / "half_a_package.py").write_text("import its_own_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    row = compare(of(0.0, needs={"half_a_package": "half-a-package"}), tmp_path)
    assert row["note"] == "lacks half-a-package (its_own_dependency)"


def test_a_comparison_that_ends_in_an_error_is_recorded_and_the_others_go_on(tmp_path):
    def broken(folder) -> Measured:
        raise RuntimeError("no image")

    table = compare_all([Comparison("x", "", "", 0, "", broken), of(0.0)], tmp_path)
    assert table["within"].tolist() == [FAILED, WITHIN]
    assert table["note"][0] == "RuntimeError: no image"


def test_differences_of_arrays_of_two_shapes_are_refused():
    for distance in (largest, relative):
        with pytest.raises(ValueError, match="cannot be compared"):
            distance([1.0, 2.0], [1.0])


def test_a_relative_difference_is_a_share_of_the_other_side():
    assert largest([1.0, 9.0], [1.0, 10.0]) == pytest.approx(1.0)
    assert relative([1.0, 9.0], [1.0, 10.0]) == pytest.approx(0.1)
    assert relative([0.5], [0.0]) == pytest.approx(0.5)


def test_every_package_that_a_comparison_needs_is_in_the_list_of_packages():
    listed = (Path(denoising.__file__).parent / "packages.txt").read_text("utf-8")
    named = set(re.findall(r"^([\w-]+)==", listed, re.M))
    needed = {name for part in PARTS for one in part.COMPARISONS for name in one.needs.values()}
    assert needed
    assert needed <= named


def test_estimates_agree_with_the_packages_of_the_lock(tmp_path):
    table = compare_all([one for one in estimates.COMPARISONS if not one.needs], tmp_path)
    assert len(table) > 10
    assert table["within"].eq(WITHIN).all(), table
