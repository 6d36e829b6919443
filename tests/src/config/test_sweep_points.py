"""The sheet of the sweep: what it means, and what it is refused for."""

from pathlib import Path

import pytest
import yaml

from verbatim.config.sweep_points import (
    COLUMNS,
    GridError,
    check_defended,
    list_runs,
    list_trainings,
    read_grid,
    select_points,
)

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
BASE = CONFIG["sweep"]["base"] | {"images": 300, "duplicated": 30, "steps": 700}


def write(folder, *rows):
    """A sheet with these rows, each a dict of the cells that are not empty."""
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(str(row.get(name, "")) for name in COLUMNS) for row in rows]
    path = folder / "sweep.tsv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_an_empty_cell_is_what_the_base_says(tmp_path):
    path = write(tmp_path, {"point": "none"}, {"point": "full10", "ddf": 10, "steps": 90})
    grid = read_grid(path, BASE)
    assert list(grid) == ["none", "full10"]
    assert (grid["none"].images, grid["none"].steps, grid["none"].ddf) == (300, 700, 1.0)
    assert (grid["full10"].steps, grid["full10"].ddf, grid["full10"].half) == (90, 10.0, -1)
    other = read_grid(path, BASE | {"steps": 5})
    assert (other["none"].steps, other["full10"].steps) == (5, 90)


def test_a_name_or_a_description_does_not_decide_a_training(tmp_path):
    path = write(
        tmp_path, {"point": "a", "description": "one"}, {"point": "b", "description": "two"}
    )
    grid = read_grid(path, BASE)
    assert grid["a"].settings() == grid["b"].settings()


@pytest.mark.parametrize(
    ("cells", "column", "value", "cure"),
    [
        ({"duplication": "images_only"}, "duplication", "images_only", "did you mean 'image_only'"),
        ({"conditioning": "labels"}, "conditioning", "labels", "known: own, fixed"),
        ({"mitigation": "gni"}, "mitigation", "gni", "did you mean 'gn'"),
        ({"images": "many"}, "images", "many", "or all"),
        ({"steps": "0"}, "steps", "0", "whole number from 1"),
        ({"ddf": "0.5"}, "ddf", "0.5", "number from 1"),
        ({"ddf": "nan"}, "ddf", "nan", "number from 1"),
        ({"subset": "half"}, "subset", "half", "half:0"),
        ({"images": "20"}, "images", "20", "sweep.base.duplicated"),
        ({"images": "all", "subset": "half:0"}, "images", "all", "give a number"),
        ({"conditioning": "fixed", "mitigation": "mc"}, "mitigation", "mc", "set it to own"),
        ({"conditioning": "none", "mitigation": "gn"}, "mitigation", "gn", "leave it empty"),
        ({"conditioning": "class", "ddf": "5", "duplication": "image_only"}, "duplication", "image_only", "full"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_refused_by_file_row_column_value_and_cure(
    tmp_path, cells, column, value, cure
):
    path = write(tmp_path, {"point": "good"}, {"point": "bad", **cells})
    with pytest.raises(GridError) as err:
        read_grid(path, BASE)
    said = str(err.value)
    assert said.startswith(f"{path}, line 3 (bad): column {column}: ")
    assert value in said
    assert cure in said


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = write(
        tmp_path, {"point": "A b"}, {"point": "one", "ddf": "x"}, {"point": "two", "steps": "-"}
    )
    with pytest.raises(GridError) as err:
        read_grid(path, BASE)
    assert [line.split(", line ")[1][0] for line in str(err.value).splitlines()] == ["2", "3", "4"]


def test_a_point_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(GridError, match=r"line 3 \(one\).*occurs twice"):
        read_grid(write(tmp_path, {"point": "one"}, {"point": "one"}), BASE)


def test_a_missing_sheet_and_a_sheet_of_commas_say_what_to_do(tmp_path):
    with pytest.raises(GridError, match=r"sweep's sheet \(sweep\.points"):
        read_grid(tmp_path / "none.tsv", BASE)
    (tmp_path / "sweep.csv").write_text("point,ddf\nnone,1\n")
    with pytest.raises(GridError, match=r"sweep\.csv \(comma-separated\): the columns \['images'"):
        read_grid(tmp_path / "sweep.csv", BASE)


def test_a_point_that_is_not_there_is_refused_with_the_one_that_is_meant(tmp_path):
    grid = read_grid(
        write(tmp_path, {"point": "full10"}, {"point": "bare", "conditioning": "none"}), BASE
    )
    with pytest.raises(GridError, match=r"sweep\.select_points has 'ful10'.*did you mean 'full10'"):
        select_points(grid, ["ful10"], "sweep.tsv")
    with pytest.raises(GridError, match=r"mitigation\.defended has 'bare'.*leave it out"):
        check_defended(grid, ["bare"], "sweep.tsv")
    assert list(select_points(grid, [], "x")) == ["full10", "bare"]
    assert list(select_points(grid, ["bare"], "x")) == ["bare"]


def test_a_shadow_model_is_trained_once_without_a_run_and_defended_points_have_more_runs(tmp_path):
    grid = read_grid(
        write(tmp_path, {"point": "a"}, {"point": "b"}, {"point": "h", "subset": "half:4"}), BASE
    )
    assert grid["h"].half == 4
    runs = list_runs(grid, [3, 5], ["b"], ["rt"])
    assert runs == [
        ("a", 3, "none"), ("a", 5, "none"), ("b", 3, "none"), ("b", 3, "rt"), ("b", 5, "none"),
        ("b", 5, "rt"),
    ]  # fmt: skip
    trained = [("a", 3), ("a", 5), ("b", 3), ("b", 5), ("h", 3)]
    assert list_trainings(grid, [3, 5]) == trained


def test_the_grid_that_is_shipped_has_every_experiment_of_the_papers():
    grid = read_grid(ROOT / CONFIG["sweep"]["points"], CONFIG["sweep"]["base"])
    check_defended(grid, CONFIG["mitigation"]["defended"], CONFIG["sweep"]["points"])
    points = list(grid.values())
    plain = [p for p in points if p.mitigation == "none" and p.half < 0]
    for duplication in ("full", "image_only"):
        found = {p.ddf for p in plain if p.duplication == duplication and p.conditioning == "own"}
        assert found >= {2, 5, 10, 20}
    assert {p.conditioning for p in plain} == {"own", "fixed", "class", "random", "none"}
    assert {p.ddf > 1 for p in plain if p.conditioning == "none"} == {True, False}
    assert {p.text_encoder for p in plain} == {"trained", "frozen"}
    assert len({p.steps for p in plain}) >= 3
    assert {p.images for p in plain} >= {300, 1000, -1}
    kinds = {(p.mitigation, "none" if p.ddf == 1 else p.duplication) for p in points}
    assert ("mc", "image_only") not in kinds  # the same model as with full duplication
    kinds.add(("mc", "image_only"))
    for mitigation in ("mc", "gn", "rc", "rt", "cwr"):
        assert {(mitigation, kind) for kind in ("none", "image_only", "full")} <= kinds
    assert sum(p.half >= 0 for p in points) >= 4
