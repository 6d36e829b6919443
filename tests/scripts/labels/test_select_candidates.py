"""Rule select_candidates, for each word that the models sheet may have."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.labels.candidates import CandidateError


def table(kind, n, **columns):
    """A table of a kind with `n` rows of nothing but the columns given."""
    frame = SCHEMAS[kind].empty_table().to_pandas().reindex(range(n))
    blank = {"int": 0, "float": 0.0, "double": 0.0, "string": "", "bool": False}
    for field in SCHEMAS[kind]:
        frame[field.name] = next(blank[word] for word in blank if word in str(field.type))
    return frame.assign(**columns)


@pytest.fixture
def files(tmp_path):
    n = 6
    write_table(
        tmp_path / "prompts", "prompts",
        table("prompts", n, prompt_id=np.arange(n), caption=[f"c{i}" for i in range(n)],
              row=np.arange(n) * 10, extra=[False] * 5 + [True]),
    )  # fmt: skip
    for name, kind, ranks in (
        ("dcs", "whitebox", [0, 1, 2, 3, 4, 5]),
        ("ecs", "blackbox", [5, 4, 3, 2, 1, 0]),
        ("clique", "postfilter", [4, 3, 0, 1, 2, 5]),
    ):
        write_table(tmp_path / name, kind, table(kind, n, prompt_id=np.arange(n), rank=ranks))
    found = table("labels", n, prompt_id=np.arange(n), label=["N", "MV", "N", "RV", "missing", "N"])
    write_table(tmp_path / "labels1", "labels", found)
    write_table(tmp_path / "labels2", "labels", found.assign(label=["N", "TV", "N", "N", "N", "N"]))
    write_table(tmp_path / "none", "labels", found.assign(label="N"))
    return tmp_path


def run(files, run_script, inputs, candidates, found_in=(), prompts="prompts", n_prompts=1):
    run_script(
        "labels/select_candidates.py",
        input={**inputs, "prompts": files / prompts},
        output={"selection": files / "out"},
        params={"candidates": candidates, "found_in": list(found_in), "n_prompts": n_prompts},
        wildcards={"model": "tiny"},
    )
    return read_table(files / "out", "selection")


def test_own_takes_the_top_of_each_ranking_and_the_extra_prompts(files, run_script):
    inputs = {name: files / name for name in ("dcs", "ecs", "clique")}
    out = run(files, run_script, inputs, "own")
    assert dict(zip(out["prompt_id"], out["why"], strict=True)) == {
        0: "dcs", 2: "clique", 4: "ecs", 5: "extra",
    }  # fmt: skip


def test_top_takes_another_models_ecs_by_its_name(files, run_script):
    out = run(files, run_script, {"ecs": files / "ecs"}, "top:sd1", n_prompts=2)
    assert out["why"].tolist() == ["top:sd1", "top:sd1", "extra"]
    assert out["prompt_id"].tolist() == [3, 4, 5]


def test_found_takes_what_each_model_was_found_to_copy(files, run_script):
    inputs = {"labels": [files / "labels1", files / "labels2"]}
    out = run(files, run_script, inputs, "found:sd1,sd2", ["sd1", "sd2"])
    assert dict(zip(out["prompt_id"], out["why"], strict=True)) == {
        1: "found:sd1,found:sd2", 3: "found:sd1", 5: "extra",
    }  # fmt: skip


def test_same_takes_the_prompts_of_another_row_those_that_are_in_no_data_too(files, run_script):
    other = table(
        "selection", 3, prompt_id=[4, 99, 1], caption=["c4", "nowhere", "c1"], row=[40, -1, 10],
        extra=[False, False, True], why=["manifest", "manifest", "extra"],
    )  # fmt: skip
    write_table(files / "other", "selection", other)
    out = run(files, run_script, {"same": files / "other"}, "same:midjourney")
    assert out.drop(columns="why").equals(other.drop(columns="why"))
    assert set(out["why"]) == {"same:midjourney"}


def test_nothing_found_is_an_empty_table_and_is_said(files, run_script):
    prompts = read_table(files / "prompts", "prompts")
    write_table(files / "few", "prompts", prompts.assign(extra=False))
    out = run(files, run_script, {"labels": [files / "none"]}, "found:sd1", ["sd1"], prompts="few")
    assert out.empty
    assert "no prompt to label" in (files / "job.log").read_text()


def test_own_without_any_prompt_is_an_error_with_the_cure(files, run_script):
    write_table(files / "few", "prompts", table("prompts", 0))
    for name, kind in (("dcs", "whitebox"), ("ecs", "blackbox"), ("clique", "postfilter")):
        write_table(files / name, kind, table(kind, 0))
    inputs = {name: files / name for name in ("dcs", "ecs", "clique")}
    with pytest.raises(CandidateError, match=r"tiny: candidates is own.*labels\.n_prompts"):
        run(files, run_script, inputs, "own", prompts="few")
