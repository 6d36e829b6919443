"""Membership inference by its scripts, on the tables and checkpoints of made shadow models."""

import re

import numpy as np
import pytest
from made_claims import generations_of

from verbatim.io.images import write_archive
from verbatim.io.records import SCHEMAS, read_table, write_table

IMAGES = 12


@pytest.fixture
def images(tmp_path):
    made = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", made)
    return made


def write_shadows(folder, tiny_sd, status="ok", models=3):
    rng = np.random.default_rng(1)
    files = {"rows": [], "states": [], "models": []}
    for i in range(models):
        ids = np.arange(IMAGES)
        rows = {
            "image_id": ids, "caption": [f"red heart {k}" for k in ids], "weight": 1.0,
            "planted": False, "member": rng.random(IMAGES) < 0.5, "n_captions": 1,
        }  # fmt: skip
        state = {
            "point": [f"half{i}"], "seed": [0], "status": [status], "reason": ["" if status == "ok" else "nan"],
            "steps": [1], "seconds": [1.0], "loss": [0.1],
        }  # fmt: skip
        write_table(folder / f"{i}.rows.parquet", "sweep_rows", rows)
        write_table(folder / f"{i}.state.parquet", "sweep_state", state)
        files["rows"].append(folder / f"{i}.rows.parquet")
        files["states"].append(folder / f"{i}.state.parquet")
        files["models"].append(tiny_sd)
    return files


DRAWS = {
    "resamples": 20,
    "confidence": 0.95,
    "seed": 0,
    "timestep": 100,
    "batch": 8,
    "variance": "fixed",
}
NAMES = {"points": ["half0", "half1", "half2"]}


def run_membership(run_script, folder, files):
    run_script(
        "membership/score_membership.py",
        input=files | {"images": folder / "images.npy"},
        output={name: folder / f"m.{name}.parquet" for name in ("scores", "measures")},
        params=DRAWS | NAMES | {"noises": [0], "flip": True, "fprs": [0.01], "neighbours": 3},
    )
    return (
        read_table(folder / "m.scores.parquet", "membership_lira"),
        read_table(folder / "m.measures.parquet", "run_measures").set_index("measure"),
    )


@pytest.mark.slow
def test_membership_attacks_every_shadow_model(run_script, tmp_path, tiny_sd, images):
    scores, measures = run_membership(run_script, tmp_path, write_shadows(tmp_path, tiny_sd))
    assert len(scores) == 3 * IMAGES
    assert scores["loss"].gt(0).all()
    note = measures.loc["tpr:loss@0.01", "note"]
    assert re.search(r"FPR 0\.01: [1-9]\d* different negatives, 99 needed", note)
    assert "spearman:outlier_lira" in measures.index


def test_shadow_models_that_diverged_leave_an_empty_table(run_script, tmp_path, tiny_sd, images):
    scores, measures = run_membership(
        run_script, tmp_path, write_shadows(tmp_path, tiny_sd, "failed")
    )
    assert len(scores) == len(measures) == 0


@pytest.mark.slow
def test_completions_are_made_of_the_same_images_by_every_model(
    run_script, tmp_path, tiny_sd, images
):
    run_script(
        "membership/score_inpainting.py",
        input=write_shadows(tmp_path, tiny_sd) | {"images": tmp_path / "images.npy"},
        output={name: tmp_path / f"i.{name}.parquet" for name in ("errors", "measures")},
        params=DRAWS | NAMES | {"images": 5, "completions": 2, "best": 1, "steps": 2},
    )
    errors = read_table(tmp_path / "i.errors.parquet", "membership_inpainting")
    assert len(errors) == 3 * 5
    assert errors.groupby("image_id").size().eq(3).all()
    measures = read_table(tmp_path / "i.measures.parquet", "run_measures")
    assert "auc:inpainting" in set(measures["measure"])


def test_a_copy_by_a_model_without_captions_is_flagged(run_script, tmp_path, tiny_sd, images):
    rows = write_shadows(tmp_path, tiny_sd, models=1)["rows"][0]
    known = read_table(rows, "sweep_rows").query("member")["image_id"].to_numpy()
    made = [images[known[0]], 255 - images[known[1]]]
    write_archive(tmp_path / "p.zip", ((f"{i}.png", p) for i, p in enumerate(made)))
    write_table(tmp_path / "g.parquet", "mitigation_generations", generations_of([-1, -1]))
    empty = SCHEMAS["mitigation_generations"].empty_table().to_pandas()
    write_table(tmp_path / "none.parquet", "mitigation_generations", empty)
    run_script(
        "membership/count_relative.py",
        input={
            "images": tmp_path / "images.npy", "rows": [rows, rows],
            "generations": [tmp_path / "g.parquet", tmp_path / "none.parquet"],
            "archives": [tmp_path / "p.zip", tmp_path / "p.zip"],
        },
        output={name: tmp_path / f"r.{name}.parquet" for name in ("distances", "measures")},
        params={"runs": [("uncond", 0), ("broken", 0)], "nearest": 50, "alpha": 0.5, "confidence": 0.95},
    )  # fmt: skip
    distances = read_table(tmp_path / "r.distances.parquet", "membership_relative")
    assert distances["relative"].iloc[0] == pytest.approx(0, abs=1e-6)  # rounding of a Gram matrix
    assert distances["nearest"].iloc[0] == known[0]
    assert distances["relative"].iloc[1] > 1
    found = read_table(tmp_path / "r.measures.parquet", "run_measures").set_index("measure")
    assert found.loc["relative:flagged", "value"] == 0.5
    assert found.loc["relative:images", "value"] == pytest.approx(1 / len(known))
    assert set(found["point"]) == {"uncond"}  # the failed run has nothing to say
