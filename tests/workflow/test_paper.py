"""The paper's configuration: planned as it is, and run on made shards and a made model cache to Table 1."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from benchmarks.cost_plan import plan_costs
from made_paper import (
    PINNED,
    draw,
    make_cache,
    make_clip,
    make_closed,
    make_laion,
    snapshot,
    write_sheet,
)
from overlays import overlay
from snakemake_runs import Tree

from verbatim.config.sheet import read_models, select_models
from verbatim.io.authors import read_labels
from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table

PAPER, TINY = "config/paper.yaml", "tests/workflow/paper_tiny.yaml"
MODELS = ["sd1", "sd2", "if", "midjourney", "openjourney", "realisticvision"]
RESULTS = "results/tiny"
WORLD_RULES = {
    "build_drawings",
    "build_dataset",
    "train_clip",
    "train_text_encoder",
    "train_upscaler",
    "train_vae",
    "train_model",
    "embed_rows",
}


def settings(folder: Path, *files: str) -> dict:
    config: dict = {}
    for file in ("config/config.yaml", *files):
        config = overlay(config, yaml.safe_load((folder / file).read_text()))
    return config


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict:
    """The user's two places: local shards, and a model cache that has the CLIP of paper.yaml too."""
    base = tmp_path_factory.mktemp("paper")
    tree = Tree(base / "tree", (PAPER, TINY))
    captions, images = draw(104)
    config = settings(tree.folder, PAPER)
    closed = make_closed(base / "midjourney", captions, images)
    sheet = write_sheet(tree.folder / config["models"], base / "models.tsv", closed)
    cache = base / "hub"
    make_cache(cache, sheet, captions)
    clip = make_clip(snapshot(cache, *config["inputs"]["clip"].split("@")), captions)
    rows = make_laion(base / "laion", clip, captions, images)
    return {"tree": tree, "base": base, "rows": rows, "sheet": base / "models.tsv"}


def given(made: dict, **more: str) -> dict[str, str]:
    """What a user says on the command line."""
    return {
        "models": str(made["sheet"]),
        "hub_cache": str(made["base"] / "hub"),
        "inputs": f"{{source: {made['base'] / 'laion'}}}",
        "select_models": f"[{','.join(MODELS)}]",
        **more,
    }


@pytest.fixture(scope="module")
def results(made) -> Path:
    """The run from shards to Table 1."""
    targets = [f"{RESULTS}/{file}" for file in ("table1.csv", "checks.txt")]
    targets += [f"{RESULTS}/tables/{name}.csv" for name in ("table1_vs_paper", "precision")]
    targets += [f"{RESULTS}/labels/{model}/release" for model in ("sd1", "sd2")]
    done = made["tree"].run(*targets, results=RESULTS, **given(made))
    assert done.code == 0, done.text[-6000:]
    return made["tree"].folder / RESULTS


def test_the_configuration_is_planned_as_it_is_from_two_keys(made):
    tree = Tree(made["base"] / "plain", (PAPER,))
    done = tree.plan("all", results="results/paper", **given(made))
    assert not done.rules & WORLD_RULES
    assert done.models == set(MODELS)
    shards = done.text.count("\nrule denoise_whitebox:")
    assert shards == 2 * 40  # two attacked models, 2 million prompts, 50,000 a job
    assert "recall.csv" not in done.text  # there is no truth of what a user's data hold


def test_a_model_without_a_commit_and_a_cache_without_the_clip_stop_the_plan_with_the_cure(made):
    tree = Tree(made["base"] / "refused", (PAPER,))
    done = tree.run(
        "--dry-run",
        results="r",
        **given(made, models="config/models.paper.tsv", select_models="[sd1,realisticvision]"),
    )
    assert done.code != 0
    assert "realisticvision" in done.text
    assert "git ls-remote" in done.text
    empty = made["base"] / "empty"
    done = tree.run("--dry-run", results="r", **given(made, hub_cache=str(empty)))
    assert done.code != 0
    assert "inputs.clip" in done.text
    assert f"--cache-dir {empty}" in done.text
    assert "Traceback" not in done.text
    assert PINNED not in done.text


def test_table_1_has_the_papers_rows_and_copies_of_every_kind_of_model(results):
    table = pd.read_csv(results / "table1.csv")
    assert list(table.Model) == [
        "SD V1", "SD V2", "Deep Image Floyd", "Midjourney v4", "OpenJourney", "RealisticVision",
    ]  # fmt: skip
    assert (table["Judged"] > 0).all()
    # thresholds at which random networks copy are so loose that every image is of low contrast
    copies = table.set_index("Model")[["Retrieved", "Template", "Exact", "Review"]].sum(axis=1)
    assert copies["Midjourney v4"] == 6  # it gives every image back
    beside = pd.read_csv(results / "tables/table1_vs_paper.csv")
    assert beside["Exact (paper)"].tolist() == [71, 4, 2, 2, 73, 90]
    assert "failed" not in (results / "checks.txt").read_text().lower()


def test_prompts_are_the_duplicated_ones_first(results, made):
    prompts = read_table(results / "dedup/prompts.parquet", "prompts").sort_values("rank")
    often = made["rows"]["caption"].value_counts()
    assert set(prompts.caption[:12]) == set(often.index[often > 1])


def test_every_label_is_met(results):
    labels = [read_table(results / f"labels/{m}/labels.parquet", "labels") for m in MODELS]
    assert set(pd.concat(labels)["label"]) == {"MV", "RV", "TV", "N"}


def test_each_model_judges_the_prompts_of_the_ranking_that_feeds_it(results):
    ecs = read_table(results / "blackbox/sd1/scores.parquet", "blackbox").sort_values("rank")
    judged = {
        model: read_table(results / f"labels/{model}/labels.parquet", "labels").set_index(
            "prompt_id"
        )
        for model in MODELS
    }
    for model in ("if", "midjourney"):
        assert set(judged[model].index) == set(ecs.prompt_id[:6])
    copies = set()
    for model in ("sd1", "sd2"):
        copies |= set(judged[model].index[judged[model].label.isin(["MV", "RV", "TV"])])
    assert copies
    for model in ("openjourney", "realisticvision"):
        assert set(judged[model].index) == copies


def test_images_are_compared_at_the_papers_size(results):
    with ImageArchive(results / "labels/sd1/masks.zip") as masks:
        shapes = {image.shape for _, image in masks}
    assert shapes == {(256, 256, 3)}


def test_the_plan_of_costs_is_what_was_spent(results, made):
    spent = pd.read_csv(results / "tables/costs.csv").set_index(["stage", "model"])
    config = settings(made["tree"].folder, PAPER, TINY)
    sheet = select_models(read_models(made["sheet"], made["tree"].folder), MODELS)
    found = {
        model: read_table(results / f"labels/{model}/labels.parquet", "labels")["label"]
        .isin(["MV", "RV", "TV"])
        .sum()
        for model in ("sd1", "sd2")
    }
    plan = plan_costs(config, sheet, found).set_index(["stage", "model"])
    for key in plan.index:
        stage, model = key
        own = stage == "labels" and model != "if"
        if own:  # the rankings have prompts in common, and the plan is the bound
            assert 0 < spent.loc[key, "unet_rows"] <= plan.loc[key, "unet_rows"], key
        else:
            assert spent.loc[key, "unet_rows"] == plan.loc[key, "unet_rows"], key


@pytest.mark.parametrize("model", ["sd1", "sd2"])
def test_a_release_is_in_the_authors_layout_with_its_images(results, model):
    folder = results / f"labels/{model}/release"
    released = read_labels(folder / "labels.parquet").set_index("row")
    labels = read_table(results / f"labels/{model}/labels.parquet", "labels").set_index("row")
    assert released.caption.to_dict() == labels.caption.to_dict()
    expected = labels["label"].where(~labels["review"], "N")
    assert released["overfit_type"].to_dict() == expected.to_dict()
    assert released["url"].str.startswith("https://x.invalid/").all()
    for name in ("templates", "retrieved"):
        table = pd.read_parquet(folder / name / "metadata.parquet")
        for column in [c for c in table if c.endswith("_file")]:
            assert all((folder / file).is_file() for file in table[column])
    templates = pd.read_parquet(folder / "templates/metadata.parquet")
    assert len(templates) == sum(expected == "TV")
    pointed = [i for lists in released["template_indices"] for inner in lists for i in inner]
    assert sorted(pointed) == list(range(len(templates)))


def test_the_authors_prompts_are_judged_anew_and_compared(results, made):
    """Our own release as theirs, judged by the same model: every label must come out the same."""
    sheet = pd.read_csv(made["sheet"], sep="\t", dtype=str, keep_default_na=False)
    again = sheet[sheet.model == "sd2"].assign(
        model="sd2_again", name="SD V2, their prompts", candidates="authors", whitebox="no"
    )
    file = made["base"] / "with_theirs.tsv"
    pd.concat([sheet, again]).to_csv(file, sep="\t", index=False)
    theirs = made["base"] / "theirs.parquet"
    shutil.copy(results / "labels/sd2/release/labels.parquet", theirs)
    config = given(
        made, models=str(file), select_models="[sd2,sd2_again]",
        labels=f"{{authors: {{sd2: {theirs}, sd2_again: {theirs}}}}}",
    )  # fmt: skip
    target = f"{RESULTS}/tables/agreement.csv"
    done = made["tree"].run(target, results=RESULTS, **config)
    assert done.code == 0, done.text[-6000:]
    assert "denoise_whitebox" not in done.rules  # nothing that was finished is done again
    table = pd.read_csv(results / "tables/agreement.csv", keep_default_na=False)
    n = len(read_labels(theirs))
    for model in ("sd2", "sd2_again"):
        by = table[table.model == model].set_index("measure")
        assert float(by.loc["agreement", "value"]) == 1
        assert int(by.loc["agreement", "n"]) == n
        assert by.loc["kappa", "value"] in ("", "1.0")  # none where both know one label alone
    judged = read_table(results / "labels/sd2_again/labels.parquet", "labels")
    assert set(judged.why) == {"authors"}
    assert set(judged.row) == set(read_labels(theirs).row)


def test_a_list_of_prompts_takes_the_place_of_the_most_duplicated(results, made):
    rows = made["rows"]
    other = rows.caption[rows.caption != rows.caption[3]].iloc[0]
    listed = pd.DataFrame(
        {
            "caption": [rows.caption[3], "nowhere to be found", other, rows.caption[3]],
            "url": [rows.url[3], "https://x.invalid/none", "", rows.url[3]],
        }
    )
    listed.to_parquet(made["base"] / "most_duplicated_metadata.parquet")
    copy = made["tree"].folder / "results/listed"
    shutil.copytree(results / "inputs", copy / "inputs")
    shutil.copytree(results / "dedup", copy / "dedup")
    (copy / "dedup/prompts.parquet").unlink()
    done = made["tree"].run(
        "results/listed/dedup/prompts.parquet", results="results/listed",
        **given(made, dedup=f"{{prompt_list: {made['base'] / 'most_duplicated_metadata.parquet'}}}"),
    )  # fmt: skip
    assert done.code == 0, done.text[-4000:]
    assert done.rules == {"select_listed"}
    prompts = read_table(copy / "dedup/prompts.parquet", "prompts").sort_values("rank")
    assert prompts.caption.tolist() == listed.caption.tolist()[:3]
    same = rows[rows.caption == other]
    assert prompts.row.tolist() == [3, -1, same.row.min()]
    assert prompts.caption_count.tolist()[1:] == [0, len(same)]
    assert "1 repeated rows" in (copy / "logs/dedup/select_listed.log").read_text()
