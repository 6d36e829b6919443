"""Points are found by what they are."""

import pytest

from verbatim.claims.comparisons import (
    base_settings,
    describe_points,
    duplication_pairs,
    pairs,
    series,
)

BASE = {
    "images": 300, "duplicated": 30, "ddf": 1, "duplication": "full", "conditioning": "own",
    "text_encoder": "trained", "steps": 700, "mitigation": "none",
}  # fmt: skip


def point(name, **changes):
    filled = BASE | {"half": -1} | changes
    return {"point": name} | filled


@pytest.fixture
def grid():
    rows = [point("none"), point("fixed", conditioning="fixed"), point("short", steps=350)]
    rows += [point(f"full{d}", ddf=d) for d in (2, 10)]
    rows += [point(f"pic{d}", ddf=d, duplication="image_only") for d in (2, 5, 10)]
    rows += [point("fixed_full10", conditioning="fixed", ddf=10), point("all", images=-1)]
    rows += [point("mc", mitigation="mc"), point("mc_full10", mitigation="mc", ddf=10)]
    rows += [point("half0", half=0), point("bare", conditioning="none")]
    rows += [point("bare10", conditioning="none", ddf=10)]
    return describe_points(rows, 900)


@pytest.fixture
def base():
    return base_settings(BASE, 900)


def test_pairs_differ_in_the_column_alone_and_have_equal_copies(grid, base):
    found = pairs(grid, base, "conditioning", "own", "fixed")
    assert found == [("none", "fixed"), ("full10", "fixed_full10")]


def test_pairs_can_be_asked_for_at_one_number_of_copies(grid, base):
    found = pairs(grid, base, "mitigation", "none", "mc", {"copies": "full 10"})
    assert found == [("full10", "mc_full10")]


def test_several_captions_stand_for_both_kinds_of_duplication(grid, base):
    found = pairs(grid, base, "mitigation", "none", "mc")
    assert found == [("none", "mc"), ("full10", "mc_full10"), ("pic10", "mc_full10")]
    only = pairs(grid, base, "mitigation", "none", "mc", {"copies": "image_only 10"})
    assert only == [("pic10", "mc_full10")]


def test_several_captions_that_the_sheet_has_under_both_kinds_stand_for_themselves(base):
    rows = [point("full10", ddf=10), point("pic10", ddf=10, duplication="image_only")]
    rows += [point("a", ddf=10, mitigation="mc")]
    rows += [point("b", ddf=10, mitigation="mc", duplication="image_only")]
    found = pairs(describe_points(rows, 900), base, "mitigation", "none", "mc")
    assert found == [("full10", "a"), ("pic10", "b")]


def test_kinds_are_compared_in_a_study_whose_base_has_several_captions():
    rows = [point("mc", mitigation="mc"), point("mc10", mitigation="mc", ddf=10)]
    several = base_settings(BASE | {"mitigation": "mc"}, 900)
    assert duplication_pairs(describe_points(rows, 900), several, "full", "image_only") == [
        ("mc10", "mc10")
    ]


def test_pairs_of_a_grid_without_the_point_are_none(grid, base):
    assert pairs(grid, base, "conditioning", "own", "class") == []


def test_kinds_of_duplication_are_compared_at_equal_ddf(grid, base):
    assert duplication_pairs(grid, base, "full", "image_only") == [
        ("full2", "pic2"), ("full10", "pic10"),
    ]  # fmt: skip
    assert duplication_pairs(grid, base, "none", "image_only") == [
        ("none", "pic2"), ("none", "pic5"), ("none", "pic10"),
    ]  # fmt: skip


def test_a_series_of_ddf_begins_without_duplicates(grid, base):
    assert series(grid, base, "ddf", kind="full") == [("none", 1), ("full2", 2), ("full10", 10)]


def test_a_series_leaves_out_shadow_models_and_other_settings(grid, base):
    assert series(grid, base, "steps") == [("short", 350), ("none", 700)]
    assert series(grid, base, "images") == [("none", 300), ("all", 900)]


def test_a_series_can_be_of_models_without_captions(grid, base):
    found = series(grid, base, "ddf", {"conditioning": "none"}, "full")
    assert found == [("bare", 1), ("bare10", 10)]
