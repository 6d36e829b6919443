"""The whole chain on the smoke world: once from nothing, then what a change, a kill or a typo costs."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import snakemake_runs
from rocrate.rocrate import ROCrate
from snakemake_runs import Done, Tree

from verbatim.io.atomic import is_temporary
from verbatim.io.contracts import CONTRACTS
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table, write_table

TOLERANCE = 1e-4  # relative, float32: what a batch or a shard may change in a score
MODELS = ["sd1", "sd2", "if", "openjourney", "realisticvision"]
TRAININGS = {
    "build_drawings",
    "build_dataset",
    "train_clip",
    "train_text_encoder",
    "train_upscaler",
    "train_vae",
    "train_model",
    "embed_rows",
}
FIRST = "results/smoke"


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("smoke") / "tree", ("config/smoke.yaml",))


@pytest.fixture(scope="module")
def first(tree) -> Done:
    """The run from nothing; every test of this file looks at it or goes on from it."""
    done = tree.run("all", results=FIRST)
    assert done.code == 0, done.text[-5000:]
    return done


@pytest.fixture(scope="module")
def made(tree, first) -> Path:
    return tree.folder / FIRST


@pytest.fixture
def again(tree, made):
    """A copy of the first run's results under another name; deleted afterwards."""
    copies = []

    def copy(name: str) -> Path:
        folder = tree.folder / "results" / name
        shutil.copytree(made, folder)
        copies.append(folder)
        return folder

    yield copy
    for folder in copies:
        shutil.rmtree(folder)


def scores(folder: Path, stage: str, model: str) -> pd.DataFrame:
    return read_table(folder / stage / model / "scores.parquet", stage).set_index("prompt_id")


def assert_same_scores(
    one: Path, two: Path, model: str, stages=("whitebox", "blackbox", "postfilter")
):
    for stage in stages:
        a, b = scores(one, stage, model), scores(two, stage, model)
        assert set(a.index) == set(b.index), stage
        for column in [c for c in a.columns if a[c].dtype.kind == "f"]:
            # - a cosine near 0 is a difference of large numbers: its tolerance is one of its range, 1
            # - an ECS is a share of the pixels of images that are stored as bytes: where a byte tips,
            #   the edges beside it may move; likewise the SSIM of such images
            of_bytes = column.startswith("ecs") or column == "seed_ssim"
            least = {"guidance_cosine": TOLERANCE}.get(column, 1e-3 if of_bytes else 1e-7)
            np.testing.assert_allclose(
                b.loc[a.index, column], a[column], TOLERANCE, least, err_msg=f"{stage}.{column}"
            )


def test_every_csv_table_has_the_columns_that_its_contract_explains(made):
    known = {kind: one for tables in CONTRACTS.values() for kind, one in tables.items()}
    found = [made / "table1.csv", *made.glob("tables/*.csv"), *made.glob("evidence/*.csv")]
    assert len(found) > 10
    for path in found:
        explained = known[str(path.relative_to(made))].columns
        assert list(pd.read_csv(path, nrows=0).columns) == list(explained), path


def test_table_1_and_everything_else_ask_for_nothing_of_the_study(first):
    assert "_point" not in first.text


def test_one_command_makes_every_table_and_figure_and_the_checks_pass(made):
    table = pd.read_csv(made / "table1.csv")
    assert list(table.Model) == [
        "SD V1", "SD V2", "Deep Image Floyd", "OpenJourney", "RealisticVision",
    ]  # fmt: skip
    assert (table.Judged > 0).all()
    for name in (
        "table1_vs_paper", "costs", "precision", "recall", "confusion", "evaluation", "kinds", "roc",
        "depths",
    ):  # fmt: skip
        assert len(pd.read_csv(made / "tables" / f"{name}.csv")), name
    for name in (
        "fig1_generations", "fig2_templates", "fig3_precision", "fig4_duplication",
        "fig5_near_misses", "table1", "triples", "recall", "confusion", "roc", "detector_recall",
        "histogram", "unpicked", "copies", "edges",
    ):  # fmt: skip
        for kind in ("png", "pdf"):
            assert (made / "figures" / f"{name}.{kind}").stat().st_size > 1000
    checks = (made / "checks.txt").read_text().splitlines()
    assert sum(line.startswith("ok") for line in checks) > 30
    assert not [line for line in checks if line.lower().startswith(("fail", "error"))]


def test_the_report_has_every_category_and_asks_nothing_of_the_network(tree, made):
    page = tree.folder / "report.html"
    done = tree.run("all", "--report", str(page), results=FIRST)
    assert done.code == 0, done.text[-3000:]
    text = page.read_text()
    categories = (
        "1 Table 1", "2 The paper's figures", "3 What the paper could not show", "4 Tables",
    )  # fmt: skip
    for category in categories:
        assert json.dumps(category) in text, category
    for name in ("fig1_generations.png", "table1.png", "tables.html", "evaluation.csv"):
        assert f"{FIRST}/{'figures' if name.endswith('png') else 'tables'}/{name}" in text, name
    assert re.search(r"image/png;[^,\"]*base64,", text)
    # what a browser would fetch by itself; links that a reader may follow are none of these
    assert not re.findall(
        r"<(?:script|img|link|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", text
    )
    assert not re.findall(r"@import|url\([\"']?https?:", text)


def test_a_run_is_released_on_request_with_every_job_and_the_time_of_each(tree, first, made):
    assert "build_crate" not in first.text  # never part of `all`
    for name in ("CITATION.cff", "pyproject.toml", "README.md"):
        shutil.copy2(snakemake_runs.ROOT / name, tree.folder / name)
    done = tree.run("release", results=FIRST)
    assert done.code == 0, done.text[-3000:]
    assert done.rules == {"build_crate", "release"}
    folder = made / "release" / "crate"
    assert (folder / "results" / "table1.csv").read_bytes() == (made / "table1.csv").read_bytes()
    crate = ROCrate(folder)
    jobs = [one for one in crate.get_by_type("CreateAction") if one.id.startswith("#job/")]
    assert {"whitebox/score_whitebox/sd1", "tables/count_labels"} <= {one["name"] for one in jobs}
    for one in jobs:
        assert one["startTime"] <= one["endTime"], one["name"]
        assert one["resourceUsage"], one["name"]
    told = {one["name"] for one in crate.get("#run")["result"]}
    assert {"results/table1.csv", "results/checks.txt"} <= told


def test_every_model_is_trained_here_loaded_from_its_folder_and_judged(made):
    for model in MODELS:
        assert (made / "world" / "models" / model / "model_index.json").is_file()
        labels = read_table(made / "labels" / model / "labels.parquet", "labels")
        assert set(labels.label) <= {"MV", "RV", "TV", "N", "missing"}
        with ImageArchive(made / "labels" / model / "images.zip") as archive:
            assert len(archive.names()) == 2 * len(labels)  # two seeds
        assert len(labels), model
    sd1 = read_table(made / "labels" / "sd1" / "labels.parquet", "labels")
    assert (sd1.label != "N").any()  # the smoke config's thresholds are loose
    with ImageArchive(made / "labels" / "sd1" / "training.zip") as archive:
        assert len(archive.names())
    kept = read_table(made / "dedup" / "kept_rows.parquet", "kept_rows")
    rows = {
        model: read_table(made / "world" / "training" / model / "rows.parquet", "kept_rows")
        for model in ("sd1", "sd2")
    }
    assert set(rows["sd2"].row) == set(kept.row) < set(rows["sd1"].row)


def test_nothing_is_left_lying_about(made):
    left = [p for p in made.rglob("*") if p.name.endswith(".tmp")]
    assert left == []
    assert not list((made / "world" / "checkpoints").glob("*"))
    for log in (made / "logs").rglob("*.log"):
        assert " done in " in log.read_text(), log


def test_a_second_run_does_nothing(tree, made):
    assert "Nothing to be done" in tree.plan("all", results=FIRST).text


def changed_sheet(tree: Tree, model: str, column: str, value: str) -> str:
    table = pd.read_csv(
        tree.folder / "config/models_train.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    table.loc[table.model == model, column] = value
    path = tree.folder / f"models-{model}-{column}.tsv"
    table.to_csv(path, sep="\t", index=False)
    return str(path)


def test_a_changed_row_of_the_sheet_reruns_that_model_alone(tree, made):
    planned = tree.plan("all", results=FIRST, models=changed_sheet(tree, "if", "dtype", "bfloat16"))
    assert planned.models == {"if"}
    assert {"generate_candidates", "label_candidates", "count_labels"} <= planned.rules
    assert not planned.rules & (TRAININGS | {"select_prompts", "select_candidates"})

    # what sd2 was found to copy is asked of the fine-tuned models, so they follow; sd1 and if don't
    planned = tree.plan(
        "all", results=FIRST, models=changed_sheet(tree, "sd2", "dtype", "bfloat16")
    )
    assert planned.models == {"sd2", "openjourney", "realisticvision"}
    assert not planned.rules & TRAININGS


def test_a_changed_name_in_the_sheet_calls_no_network(tree, made):
    planned = tree.plan("all", results=FIRST, models=changed_sheet(tree, "sd2", "name", "SD two"))
    assert planned.models == set()
    assert "count_labels" in planned.rules


def test_a_changed_score_reruns_its_stage_and_what_follows_and_no_training(tree, made):
    file = tree.folder / "workflow/src/verbatim/whitebox/dcs.py"
    before, times = file.read_text(), os.stat(file)
    try:
        file.write_text(before + "\n# changed\n")
        planned = tree.plan("all", results=FIRST)
    finally:
        file.write_text(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert {
        "denoise_whitebox",
        "score_whitebox",
        "select_blackbox",
        "count_labels",
    } <= planned.rules
    assert not planned.rules & TRAININGS
    assert not [
        rule for rule in planned.rules if rule in ("build_index", "search_pairs", "select_prompts")
    ]


def test_an_unrelated_key_reruns_no_network(tree, made):
    planned = tree.plan("all", results=FIRST, figures="{dpi: 99}")
    assert {rule.split("_")[0] for rule in planned.rules} <= {"plot", "all"}


def test_one_model_alone_can_be_asked_for(tree, made):
    nothing = "results/none"
    target = f"{nothing}/labels/sd2/labels.parquet"
    # `base`, no row of the sheet, is what sd1 and sd2 continue from
    assert tree.plan(target, results=nothing).models == {"sd2", "base"}
    selected = tree.plan("all", results=nothing, select_models="[sd2]")
    assert selected.models == {"sd2", "base"}
    assert {"count_labels", "plot_images", "check_results"} <= selected.rules
    # candidates of `if` come from sd1's ranking, which its rows of the sheet say
    assert tree.plan("all", results=nothing, select_models="[if]").models == {"if", "sd1", "base"}


def test_scores_do_not_depend_on_shards_or_batches(tree, made, again):
    copy = again("batches")
    for stage in ("whitebox", "blackbox", "postfilter"):
        shutil.rmtree(copy / stage / "sd1" / "kept")  # or nothing would be made again
    done = tree.run(
        *[f"results/batches/{stage}/sd1/scores.parquet" for stage in ("whitebox", "blackbox", "postfilter")],
        "--forcerun", "denoise_whitebox", "generate_blackbox", "filter_prompts",
        "--rerun-triggers", "mtime", results="results/batches", select_models="[sd1]",
        whitebox="{prompts_a_shard: 50, batch: 13}", blackbox="{batch: 7, prompts_a_part: 11, prompts_a_shard: 30}",
        postfilter="{prompts_a_part: 4, prompts_a_shard: 20}", sampling="{batch: 5}",
    )  # fmt: skip
    assert done.code == 0, done.text[-3000:]
    assert done.models == {"sd1"}
    assert {"denoise_whitebox", "generate_blackbox", "filter_prompts"} <= done.rules
    assert not done.rules & TRAININGS
    assert_same_scores(made, copy, "sd1")
    for stage in ("blackbox", "postfilter"):
        with (
            Images(made / stage / "sd1" / "images.parquet") as one,
            Images(copy / stage / "sd1" / "images.parquet") as two,
        ):
            assert sorted(one.names()) == sorted(two.names())
            for name in one.names():  # rounding to bytes may tip by one
                assert np.abs(one.read(name) - two.read(name)).max() <= 1.01 / 255


def todo(what: str, logs: Iterable[Path]) -> int:
    """How many prompts jobs had to make, as their logs say: what was kept is not among them."""
    found = [re.search(rf"(\d+)(?: {what})? to do", log.read_text()) for log in logs]
    assert found
    assert all(found)
    return sum(int(one[1]) for one in found)


def test_a_longer_list_of_prompts_spends_network_rows_on_the_new_ones_alone(tree, made, again):
    copy = again("longer")
    done = tree.run(
        "results/longer/postfilter/sd1/scores.parquet", "--forcerun", "select_prompts",
        "--rerun-triggers", "mtime", results="results/longer", select_models="[sd1]",
        dedup="{n_prompts: 73}", blackbox="{n_prompts: 35}", postfilter="{n_prompts: 8}",
    )  # fmt: skip
    assert done.code == 0, done.text[-3000:]
    assert {"denoise_whitebox", "generate_blackbox", "filter_prompts"} <= done.rules
    assert not done.rules & TRAININGS
    for stage, rule in (
        ("whitebox", "denoise_whitebox"), ("blackbox", "generate_blackbox"),
        ("postfilter", "filter_prompts"),
    ):  # fmt: skip
        before, after = scores(made, stage, "sd1"), scores(copy, stage, "sd1")
        new = after.index.difference(before.index)
        assert len(new), stage
        assert todo("prompts", (copy / "logs" / stage / rule).glob("sd1-*.log")) == len(new), stage
        both = after.index.intersection(before.index)
        columns = [c for c in after.columns if c not in ("rank", "preset")]
        pd.testing.assert_frame_equal(after.loc[both, columns], before.loc[both, columns])


def test_a_training_and_a_search_that_are_killed_end_in_the_same_table(tree, made, again):
    """Two from-scratch trainings of one model, one of them killed: the same weights, scores and table."""
    copy = again("killed")
    results = "results/killed"
    for path in ("world/models/sd1", "world/training/sd1", "whitebox/sd1", "blackbox/sd1",
                 "postfilter/sd1", "labels/sd1", "tables"):  # fmt: skip
        shutil.rmtree(copy / path)
    (copy / "table1.csv").unlink()
    changes = {"select_models": "[sd1]", "postfilter": "{prompts_a_part: 3}"}
    args = (f"{results}/table1.csv", "--rerun-incomplete", "--rerun-triggers", "mtime")

    checkpoint = copy / "world" / "checkpoints" / "sd1.safetensors"
    # of ordinary processes: what they leave is what those with loaded libraries go on from
    tree.kill_when(checkpoint.exists, *args, results=results, warm=False, **changes)
    assert not list((copy / "world" / "models" / "sd1").iterdir())  # whole or not at all
    assert tree.run(*args, "--unlock", results=results, **changes).code == 0

    kept = copy / "postfilter" / "sd1" / "kept"

    def one_part_is_kept() -> bool:
        return any(not is_temporary(p.parent.name) for p in kept.glob("*/*/prompts.npy"))

    tree.kill_when(one_part_is_kept, *args, results=results, **changes)
    log = (copy / "logs" / "world" / "train_model" / "sd1.log").read_text()
    assert "resumed at step" in log
    assert not (copy / "postfilter" / "sd1" / "scores.parquet").exists()
    assert tree.run(*args, "--unlock", results=results, **changes).code == 0

    done = tree.run(*args, results=results, **changes)
    assert done.code == 0, done.text[-3000:]
    assert not done.rules & TRAININGS  # what was finished before the kill is not made again
    logs = (copy / "logs" / "postfilter" / "filter_prompts").glob("sd1-*.log")
    assert todo("prompts", logs) < len(scores(made, "postfilter", "sd1"))
    for part in ("unet", "text_encoder"):
        files = [folder / "world/models/sd1" / part for folder in (made, copy)]
        one, two = (next(folder.glob("*.safetensors")).read_bytes() for folder in files)
        assert one == two, part
    assert_same_scores(made, copy, "sd1")
    whole = pd.read_csv(made / "table1.csv")
    row = pd.read_csv(copy / "table1.csv")
    pd.testing.assert_frame_equal(row, whole[whole.Model == "SD V1"].reset_index(drop=True))


def test_a_broken_image_in_a_tar_is_recorded_and_the_rest_goes_on(tree, made, again):
    copy = again("broken")
    fetched = read_table(made / "labels/if/fetched.parquet", "fetched")
    assert set(fetched.status) == {"ok"}
    row = int(fetched.row.iloc[0])
    tar = copy / "world" / "data" / f"{row // 100:05d}.tar"
    with tarfile.open(tar) as archive:
        member = archive.getmember(f"{row:09d}.png")
    times = os.stat(tar)
    with open(tar, "r+b") as file:
        file.seek(member.offset_data)
        file.write(b"broken")
    os.utime(tar, ns=(times.st_atime_ns, times.st_mtime_ns))
    path = copy / "labels" / "if" / "wanted.parquet"  # it says where the archives lie
    table = read_table(path, "wanted")
    assert table.archive.str.contains("/smoke/").all()
    times = os.stat(path)
    table["archive"] = table.archive.str.replace("/smoke/", "/broken/")
    write_table(path, "wanted", table)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = tree.run(
        "results/broken/labels/if/labels.parquet", "--forcerun", "fetch_images",
        "--rerun-triggers", "mtime", results="results/broken", select_models="[if]",
    )  # fmt: skip
    assert done.code == 0, done.text[-3000:]
    assert done.rules == {"fetch_images", "label_candidates", "merge_labels"}
    after = read_table(copy / "labels/if/fetched.parquet", "fetched").set_index("row")
    assert after.status[row] == "broken"
    assert "broken image" in after.reason[row]
    assert (after.status.drop(row) == "ok").all()
    labels = read_table(copy / "labels/if/labels.parquet", "labels")
    assert len(labels) == len(read_table(made / "labels/if/labels.parquet", "labels"))


def test_the_working_tree_was_not_touched(tree, made):
    assert tree.folder != snakemake_runs.ROOT
    assert not (snakemake_runs.ROOT / "results" / "killed").exists()
