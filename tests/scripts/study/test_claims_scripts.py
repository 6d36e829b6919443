"""The concluding scripts on made files, as the rules call them: from shadow models to the page."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_claims import BASE, LEVELS, made_measures, made_states

from verbatim.io.images import write_archive
from verbatim.io.records import SCHEMAS, read_table, write_table

ROOT = Path(__file__).resolve().parents[3]
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
        write_table(folder / f"{i}.rows.parquet", "study_rows", rows)
        write_table(folder / f"{i}.state.parquet", "study_state", state)
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
        "study/score_membership.py",
        input=files | {"images": folder / "images.npy"},
        output={name: folder / f"m.{name}.parquet" for name in ("scores", "measures")},
        params=DRAWS | NAMES | {"noises": [0], "flip": True, "fprs": [0.01], "neighbours": 3},
    )
    return (
        read_table(folder / "m.scores.parquet", "study_membership"),
        read_table(folder / "m.measures.parquet", "study_measures").set_index("measure"),
    )


def test_membership_attacks_every_shadow_model(run_script, tmp_path, tiny_sd, images):
    scores, measures = run_membership(run_script, tmp_path, write_shadows(tmp_path, tiny_sd))
    assert len(scores) == 3 * IMAGES
    assert scores["loss"].gt(0).all()
    assert "12 different" not in measures.loc["tpr:loss@0.01", "note"]
    assert "99 needed" in measures.loc["tpr:loss@0.01", "note"]
    assert "spearman:outlier_lira" in measures.index


def test_shadow_models_that_diverged_leave_an_empty_table(run_script, tmp_path, tiny_sd, images):
    scores, measures = run_membership(
        run_script, tmp_path, write_shadows(tmp_path, tiny_sd, "failed")
    )
    assert len(scores) == len(measures) == 0


def test_completions_are_made_of_the_same_images_by_every_model(
    run_script, tmp_path, tiny_sd, images
):
    run_script(
        "study/score_inpainting.py",
        input=write_shadows(tmp_path, tiny_sd) | {"images": tmp_path / "images.npy"},
        output={name: tmp_path / f"i.{name}.parquet" for name in ("errors", "measures")},
        params=DRAWS | NAMES | {"images": 5, "completions": 2, "best": 1, "steps": 2},
    )
    errors = read_table(tmp_path / "i.errors.parquet", "study_inpainting")
    assert len(errors) == 3 * 5
    assert errors.groupby("image_id").size().eq(3).all()
    measures = read_table(tmp_path / "i.measures.parquet", "study_measures")
    assert "auc:inpainting" in set(measures["measure"])


def generations_of(ids, kind="one"):
    n = len(ids)
    return pd.DataFrame(
        {
            "generation": range(n), "image_id": ids, "caption": "c", "prompt": "c",
            "gen_seed": range(n), "planted": [i < 2 for i in ids], "member": True, "kind": kind, "size": 32,
        }
    )  # fmt: skip


def test_a_copy_by_a_model_without_captions_is_flagged(run_script, tmp_path, tiny_sd, images):
    rows = write_shadows(tmp_path, tiny_sd, models=1)["rows"][0]
    known = read_table(rows, "study_rows").query("member")["image_id"].to_numpy()
    made = [images[known[0]], 255 - images[known[1]]]
    write_archive(tmp_path / "p.zip", ((f"{i}.png", p) for i, p in enumerate(made)))
    write_table(tmp_path / "g.parquet", "study_generations", generations_of([-1, -1]))
    empty = SCHEMAS["study_generations"].empty_table().to_pandas()
    write_table(tmp_path / "none.parquet", "study_generations", empty)
    run_script(
        "study/count_relative.py",
        input={
            "images": tmp_path / "images.npy", "rows": [rows, rows],
            "generations": [tmp_path / "g.parquet", tmp_path / "none.parquet"],
            "archives": [tmp_path / "p.zip", tmp_path / "p.zip"],
        },
        output={name: tmp_path / f"r.{name}.parquet" for name in ("distances", "measures")},
        params={"runs": [("uncond", 0), ("broken", 0)], "nearest": 50, "alpha": 0.5, "confidence": 0.95},
    )  # fmt: skip
    distances = read_table(tmp_path / "r.distances.parquet", "study_relative")
    assert distances["relative"].iloc[0] == pytest.approx(0, abs=1e-6)  # rounding of a Gram matrix
    assert distances["nearest"].iloc[0] == known[0]
    assert distances["relative"].iloc[1] > 1
    found = read_table(tmp_path / "r.measures.parquet", "study_measures").set_index("measure")
    assert found.loc["relative:flagged", "value"] == 0.5
    assert found.loc["relative:images", "value"] == pytest.approx(1 / len(known))
    assert set(found["point"]) == {"uncond"}  # the failed run has nothing to say


def test_numbers_are_merged_with_what_the_attacks_find_and_with_failures(run_script, tmp_path):
    ids = list(range(8))
    scores = {
        "image_id": ids, "caption": "c", "planted": [i < 2 for i in ids], "member": True,
        "dcs": [9.0, 8, 1, 2, 3, 4, 5, 6], "ecs": 0.5, "clique_size": 1, "clique_distance": 0.5,
    }  # fmt: skip
    own = [0.01, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4]
    alike = {
        "generation": ids, "descriptor": "clip", "similarity": 0.5, "match": ids, "split": 0.1,
        "cross": 0.1, "rmse": 0.1, "own_rmse": own,
    }  # fmt: skip
    write_table(tmp_path / "full.scores.parquet", "study_scores", scores)
    write_table(tmp_path / "full.generations.parquet", "study_generations", generations_of(ids))
    write_table(tmp_path / "full.similarities.parquet", "study_similarities", alike)
    for name in ("scores", "generations", "similarities"):
        empty = SCHEMAS[f"study_{name}"].empty_table().to_pandas()
        write_table(tmp_path / f"broken.{name}.parquet", f"study_{name}", empty)
    nothing = SCHEMAS["study_measures"].empty_table().to_pandas()
    write_table(tmp_path / "broken.measures.parquet", "study_measures", nothing)
    write_table(tmp_path / "full.measures.parquet", "study_measures", made_measures().iloc[:3])
    states = made_states().iloc[-3:].assign(steps=1, seconds=1.0, loss=0.1)
    write_table(tmp_path / "states.parquet", "study_state", states)
    kinds = ("measures", "scores", "generations", "similarities")
    run_script(
        "study/merge_study.py",
        input={kind: [tmp_path / f"{run}.{kind}.parquet" for run in ("full", "broken")] for kind in kinds}
        | {"states": [tmp_path / "states.parquet"], "further": [tmp_path / "full.measures.parquet"]},
        output={"measures": tmp_path / "all.parquet", "states": tmp_path / "all_states.parquet"},
        params={
            "runs": [("full10", 0, "none"), ("broken", 0, "none")], "copy_rmse": 0.12,
            "resamples": 20, "confidence": 0.95,
        },
    )  # fmt: skip
    found = read_table(tmp_path / "all.parquet", "study_measures")
    of_run = found[found["point"].eq("full10")].set_index("measure")["value"]
    assert of_run["auc:dcs"] == 1.0
    assert of_run["auc_copied:dcs"] == 1.0
    assert of_run["copied"] == 1 / 8
    assert len(read_table(tmp_path / "all_states.parquet", "study_state")) == 3


def test_the_claims_and_the_page_come_of_the_merged_numbers(run_script, tmp_path):
    pool = {
        "image_id": [0, 1], "caption": "c", "group": "g", "order": [0, 1], "planted": False,
        "held_out": [False, True],
    }  # fmt: skip
    write_table(tmp_path / "pool.parquet", "study_pool", pool)
    write_table(tmp_path / "measures.parquet", "study_measures", made_measures())
    states = made_states().assign(steps=1, seconds=1.0, loss=0.1)
    write_table(tmp_path / "states.parquet", "study_state", states)
    (tmp_path / "data.png").write_bytes(b"png")
    points = [{"point": name, **BASE, "half": -1, **less} for name, (less, _) in LEVELS.items()]
    outputs = {
        "claims": "claims.csv",
        "robustness": "robustness.csv",
        "table": "table1.csv",
        "page": "claims.html",
    }
    run_script(
        "study/compare_claims.py",
        input={name: tmp_path / f"{name}.parquet" for name in ("measures", "states", "pool")}
        | {"paper": ROOT / "config" / "study_paper_values.tsv", "figures": [tmp_path / "data.png"]},
        output={name: tmp_path / file for name, file in outputs.items()},
        params={
            "points": points, "base": BASE, "defended": ["none", "full10"], "defences": ["gni", "rt"],
            "seeds": 2, "confidence": 0.95,
        },
    )  # fmt: skip
    claims = pd.read_csv(tmp_path / "claims.csv").set_index("claim")
    assert claims.loc["own_over_fixed", "verdict"] == "held"
    assert claims.loc["own_over_class", "verdict"] == "failed"
    other = pd.read_csv(tmp_path / "robustness.csv").set_index("claim")
    assert other.loc["own_over_fixed", ["measure", "verdict"]].tolist() == [
        "similarity:p95@pixels",
        "not held",
    ]
    assert (pd.read_csv(tmp_path / "table1.csv")["status"] == "ok").sum() > 4
    assert "held" in (tmp_path / "claims.html").read_text("utf-8")
