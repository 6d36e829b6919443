"""The scripts of `figures`, run as a job runs them, on a whole made-up run and its tables."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_results import MODELS, write_run
from marked_images import MARK, mark_archive, marks_in
from PIL import Image

from verbatim.config.run import TRUTH_FIGURES
from verbatim.io.contracts.reports import TABLES as REPORTS
from verbatim.io.privacy import PrivacyError
from verbatim.io.records import SCHEMAS, read_table, write_table

pytestmark = pytest.mark.slow  # all look at tables that are made for three seconds, and draw

ATTACKED = {one["model"]: one["name"] for one in MODELS if one["attacked"]}
NAMES = {one["model"]: one["name"] for one in MODELS}
STAGES = ("whitebox", "blackbox", "postfilter")


def archives(root, stage, file, models):
    return [root / stage / model / file for model in models]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The made-up run, with what `dedup` and `inputs` would have left beside it."""
    root = tmp_path_factory.mktemp("run")
    truth = write_run(root)
    rng = np.random.default_rng(0)
    np.save(root / "world/images.npy", rng.integers(0, 256, (601, 16, 16, 3), np.uint8))
    clusters = read_table(root / "dedup/clusters.parquet", "clusters")
    stats = clusters.groupby("cluster").size().rename("size").reset_index()
    write_table(
        root / "dedup/cluster_stats.parquet", "cluster_stats",
        stats.assign(n_captions=1, share_equal_captions=1.0, caption="c", row=stats["cluster"]),
    )  # fmt: skip
    for model in NAMES:
        labels = read_table(root / f"labels/{model}/labels.parquet", "labels")
        table = labels.reindex(columns=SCHEMAS["verification"].names, fill_value=0)
        table = table.assign(crop="whole", flip=False, verified=True, doubt="", status="ok")
        write_table(root / f"evidence/{model}/verification.parquet", "verification", table)
    (root / "inputs/manifest.tsv").write_text(
        "shard\tembeddings\tmetadata\trows\tfirst_row\tdim\tarchive\tfooter_sha256\tmetadata_row\tembeddings_digest\n"
        f"00000\ta\tb\t{int((truth['row'] >= 0).sum())}\t0\t8\tc\td\t0\te\n"
    )
    return root


@pytest.fixture
def tables(run_script, finished):
    """The tables, by the scripts that make them, once for all tests of this file."""
    if (finished / "tables/evaluation.csv").is_file():
        return finished
    root, labels = finished, archives(finished, "labels", "labels.parquet", NAMES)
    judged = {stage: archives(root, stage, "scores.parquet", ATTACKED) for stage in STAGES}
    judged |= {"labels": archives(root, "labels", "labels.parquet", ATTACKED)}
    truth, prompts = root / "world/truth.parquet", root / "dedup/prompts.parquet"
    clusters = root / "dedup/clusters.parquet"
    names = ("kinds", "roc", "depths")
    sheet = [{k: one[k] for k in ("model", "name", "deduplicated")} for one in MODELS]
    sure = {"confidence": 0.95}
    how = {"fpr": 0.4, "fpr_strict": [], "depths": [5], "resamples": 20, "folds": 3, "seed": 0}
    jobs = {
        "count_labels": ({"labels": labels, "clusters": clusters, "decisions": []}, {"table": root / "table1.csv"}, {"models": sheet, "known": list(NAMES)}),
        "compare_paper": (
            {"table1": root / "table1.csv", "paper": "config/paper_values.tsv"},
            {"table": root / "tables/table1_vs_paper.csv"},
            {"references": {one["name"]: one["reference"] for one in MODELS}},
        ),
        "count_precision": (
            {"prompts": prompts, "clusters": clusters, **judged},
            {"table": root / "tables/precision.csv"}, {"models": list(ATTACKED)} | sure,
        ),
        "count_recall": ({"truth": truth, "labels": labels}, {"table": root / "tables/recall.csv"}, {"models": list(NAMES)} | sure),
        "compare_truth": ({"truth": truth, "labels": labels}, {"table": root / "tables/confusion.csv"}, {"models": list(NAMES), "resamples": 50, "seed": 0} | sure),
        "score_detectors": (
            {"truth": truth, "prompts": prompts, "detectors": [], **judged},
            {"table": root / "tables/evaluation.csv", "prompts": root / "tables/detectors.csv",
             **{name: root / f"tables/{name}.csv" for name in names}},
            {"models": list(ATTACKED), **how} | sure,
        ),
    }  # fmt: skip
    for rule, (inputs, outputs, params) in jobs.items():
        run_script(f"tables/{rule}.py", input=inputs, output=outputs, params=params)
    return root


def test_the_tables_stand_on_one_page(run_script, tables, tmp_path):
    root = tables / "tables"
    names = ("recall", "confusion", "evaluation", "kinds", "depths")
    report = Path(__file__).resolve().parents[3] / "workflow/report"
    template = [report / "tables/page.html", report / "tables.css"]
    run_script(
        "tables/merge_tables.py",
        input={
            "paper": root / "table1_vs_paper.csv",
            "costs": root / "recall.csv",
            "template": template,
        }
        | {name: root / f"{name}.csv" for name in names},
        output={"page": tmp_path / "tables.html"},
    )
    page = (tmp_path / "tables.html").read_text()
    assert page.count("<table") == 7
    assert "Midjourney v4" in page
    run_script(
        "tables/merge_tables.py",  # without a truth
        input={
            "paper": root / "table1_vs_paper.csv",
            "costs": root / "recall.csv",
            "recall": [],
            "template": template,
        },
        output={"page": tmp_path / "short.html"},
    )
    assert (tmp_path / "short.html").read_text().count("<table") == 2


def job(root, rule):
    """input, params and figures of a rule."""
    table = root / "tables"
    labels = archives(root, "labels", "labels.parquet", NAMES)
    return {
        "plot_images": (
            {"labels": labels, "images": archives(root, "labels", "images.zip", NAMES),
             "training": archives(root, "labels", "training.zip", NAMES),
             "masks": archives(root, "labels", "masks.zip", NAMES),
             "verification": archives(root, "evidence", "verification.parquet", NAMES),
             "known_prompts": [], "scores": archives(root, "blackbox", "scores.parquet", ATTACKED),
             "one_step": archives(root, "blackbox", "images.parquet", ATTACKED)},
            {"names": NAMES, "attacked": list(ATTACKED), "one_step_seeds": [0, 1], "full_seeds": [0, 1],
             "examples": 2, "near_misses": 2, "threshold": 0.12, "images": "full", "only": []},
            ["fig1", "fig2", "fig5", "triples"],
        ),
        "plot_curves": (
            {"labels": labels, "precision": table / "precision.csv", "table1": root / "table1.csv",
             "paper": table / "table1_vs_paper.csv", "manifest": root / "inputs/manifest.tsv",
             "stats": root / "dedup/cluster_stats.parquet",
             **{name: root / f"dedup/{name}.parquet" for name in ("prompts", "clusters")}},
            {"names": NAMES, "attacked": list(ATTACKED)},
            ["table1", "fig3", "fig4"],
        ),
        "plot_edges": (
            {"prompts": table / "detectors.csv", "known_prompts": [],
             "one_step": archives(root, "blackbox", "images.parquet", ATTACKED)[:1]},
            {"model": next(iter(ATTACKED)), "preset": "world", "seeds": [0, 1],
             "presets": {
                 "world": {"guidance": 3.0, "size": 16, "sobel": "nd", "threshold": 2.0, "agreement": 0.5},
             }, "images": "full", "only": []},
            ["png"],
        ),
        "plot_truth": (
            {"truth": root / "world/truth.parquet", "world_images": root / "world/images.npy",
             "prompts": table / "detectors.csv", "known_prompts": [],
             **{name: table / f"{name}.csv" for name in ("recall", "confusion", "evaluation", "kinds", "roc")},
             "images": archives(root, "labels", "images.zip", ATTACKED),
             "one_step": archives(root, "blackbox", "images.parquet", ATTACKED)},
            {"figures": TRUTH_FIGURES, "names": NAMES, "attacked": ATTACKED, "whitebox": "reference", "blackbox": "world", "fpr": 0.4,
             "one_step_seed": 0, "seeds": [0, 1], "examples": 2, "shown": "full", "only": []},
            ["recall", "confusion", "roc", "detector_recall", "histogram", "unpicked", "copies"],
        ),
    }[rule]  # fmt: skip


def draw(run_script, folder, rule, inputs, params, figures):
    outputs = {name: folder / "figures" / f"{name}.png" for name in figures}
    run_script(f"figures/{rule}.py", input=inputs, output=outputs, params=params | {"dpi": 60})
    return outputs


@pytest.mark.parametrize("rule", ["plot_images", "plot_curves", "plot_edges", "plot_truth"])
def test_each_figure_is_written_as_an_image_and_as_a_page(run_script, tables, tmp_path, rule):
    for name, png in draw(run_script, tmp_path, rule, *job(tables, rule)).items():
        with Image.open(png) as image:
            assert image.width == 432, name  # 7.2 inches
            assert np.asarray(image.convert("L")).std() > 5, name
        assert png.with_suffix(".pdf").read_bytes().startswith(b"%PDF"), name
    assert not list(tmp_path.rglob("*.tmp"))


def test_without_an_attacked_model_the_figures_are_there_and_say_so(run_script, tables, tmp_path):
    lost = {
        "plot_images": ["scores", "one_step"], "plot_curves": ["precision"],
        "plot_truth": ["prompts", "evaluation", "kinds", "roc", "images", "one_step"],
    }  # fmt: skip
    for rule, names in lost.items():
        inputs, params, figures = job(tables, rule)
        inputs |= {name: [] for name in names}
        found = draw(run_script, tmp_path, rule, inputs, params | {"attacked": []}, figures)
        assert all(png.is_file() for png in found.values())


@pytest.mark.parametrize(
    "name", ["precision", "recall", "confusion", "evaluation", "kinds", "roc", "depths"]
)
def test_a_table_has_the_columns_that_its_contract_explains(tables, name):
    explained = REPORTS["tables"][f"tables/{name}.csv"].columns
    found = pd.read_csv(tables / "tables" / f"{name}.csv").columns
    # the rates of these columns are a setting, tables.fpr_strict
    strict = re.compile(r"(tpr|fpr)_0\.")
    assert [c for c in found if not strict.match(c)] == [
        c for c in explained if not strict.match(c)
    ]


@pytest.fixture
def marked(tables, tmp_path):
    """The run with every image marked, and exact copies that a crop alone shows, for fig5."""
    root = shutil.copytree(tables, tmp_path / "run")
    labels = read_table(root / "labels/sd1/labels.parquet", "labels")
    labels.loc[labels["label"].eq("MV"), "crop"] = "center"
    write_table(root / "labels/sd1/labels.parquet", "labels", labels)
    for path in root.rglob("*.zip"):
        if path.name != "masks.zip":
            mark_archive(path)
    images = np.load(root / "world/images.npy")
    images[:, ::2] = MARK
    np.save(root / "world/images.npy", images)
    return root


@pytest.mark.parametrize("rule", ["plot_images", "plot_edges", "plot_truth"])
def test_no_figure_shows_an_image_that_may_not_be_shown(run_script, marked, tmp_path, rule):
    inputs, params, figures = job(marked, rule)
    key = "shown" if rule == "plot_truth" else "images"
    with_images = {"fig1", "fig2", "fig5", "triples", "unpicked", "copies", "png"}
    for level in ("full", "blurred", "none"):
        out = tmp_path / level
        drawn = draw(run_script, out, rule, inputs, params | {key: level}, figures)
        for name, png in drawn.items():
            shown = [marks_in(file) for file in (png, png.with_suffix(".pdf"))]
            if level == "full" and name in with_images:
                assert min(shown) > 0, name  # so the search finds what is shown
            elif level != "full":
                assert shown == [0, 0], (name, level)


def test_a_figure_hides_the_prompts_that_are_named_alone(run_script, marked, tmp_path):
    inputs, params, figures = job(marked, "plot_images")
    prompts = read_table(marked / "dedup/prompts.parquet", "prompts")
    planted = prompts.loc[~prompts["caption"].str.contains("carpet"), "prompt_id"].tolist()
    inputs |= {"known_prompts": [marked / "dedup/prompts.parquet"]}
    more = params | {"images": "none", "only": planted}
    drawn = draw(run_script, tmp_path / "some", "plot_images", inputs, more, figures)
    assert marks_in(drawn["fig2"]) > 0  # the templates are carpets
    assert marks_in(drawn["fig5"]) == 0
    with pytest.raises(PrivacyError, match=r"privacy\.only has \[7\]"):
        draw(run_script, tmp_path, "plot_images", inputs, params | {"images": "none", "only": [7]}, figures)  # fmt: skip
