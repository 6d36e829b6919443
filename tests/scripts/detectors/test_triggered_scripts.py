"""The rules of the search for triggers, one after the other, on a tiny model with random weights."""

import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from made_results import make_labels

from tiny_models import CAPTIONS
from verbatim.config.trigger_plan import CAPTIONS as KNOWN
from verbatim.config.trigger_plan import METHODS, SEARCHES
from verbatim.detectors.trigger_energy import FirstStepEnergy
from verbatim.io.images import ImageArchive, encode_png, generation_name
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.io.spreadsheets import read_csv

SEARCH = {
    "chains": 4, "length": 2, "steps": 2, "candidates": 5, "temperature": 0.1, "keep": 2, "seed": 0
}  # fmt: skip
SIZE = 32
LABELS = {
    "preset": "paper", "size": SIZE, "order": ["MV", "RV", "TV"], "thresholds": {"mv": 0.002, "rv": 0.002, "tv": 0.002},  # a tiny model gives nearly plain images
    "mask": {"low": 0.02, "high": 0.3, "difference": 0.03, "erode": 1, "dilate": 1, "min_area": 0.3, "partners": 3, "sources": 10},
    "guards": {"near_constant": 1.1, "flat_range": 0.03, "white": 0.95, "edge_density": 2.0, "edge_step": 0.1},
}  # fmt: skip
MODEL = {"family": "sd", "source": "train"}


def search(root, run_script, model, method, **changes):
    folder = root / method
    run_script(
        "detectors/search_triggers.py",
        {"model": model / "model_index.json"},
        {"chains": folder / "chains.parquet", "cost": folder / "search.parquet"},
        {"search": SEARCH | changes.pop("search", {}), "letters": 3, "batch": 16, "rows_a_part": 24, "model": MODEL,
         "kept": folder / "kept"} | changes,
        wildcards={"model": "sd1", "method": method},
    )  # fmt: skip
    return read_table(folder / "chains.parquet", "trigger_chains")


def generate(root, run_script, model, method):
    folder, known = root / method, method == KNOWN
    run_script(
        "detectors/generate_triggered.py",
        {"model": model / "model_index.json", "chains": [] if known else folder / "chains.parquet",
         "captions": root / "captions.parquet" if known else [], "scores": root / "scores.parquet" if known else []},
        {name: folder / f"{name}.{'zip' if name == 'images' else 'parquet'}"
         for name in ("prompts", "generations", "images", "cost")},
        {"sampler": "euler", "spacing": "karras", "steps": 2, "guidance": 3.0, "batch": 8, "prompts": 3, "seeds": [0, 1],
         "model": MODEL},
        wildcards={"model": "sd1", "method": method},
    )  # fmt: skip
    return read_table(folder / "prompts.parquet", "trigger_prompts")


def write_captions(root):
    ids = [prompt_id(caption) for caption in CAPTIONS]
    captions = pd.DataFrame(
        {"prompt_id": ids, "caption": CAPTIONS, "row": range(10), "cluster": [0, 0, *[-1] * 8], "cluster_size": 1,
         "caption_count": 1, "share_equal_captions": 0.0, "extra": False, "rank": range(10)}
    )  # fmt: skip
    write_table(root / "captions.parquet", "prompts", captions)
    scores = pd.DataFrame(
        {"prompt_id": ids, "rank": range(10), "n_seeds": 1, "preset": "reference"}
    )
    for name in ("dcs", "dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine"):
        scores[name] = np.linspace(1, 0, 10)
    write_table(root / "scores.parquet", "whitebox", scores)


def write_training(root, images):
    """Rows of training images: the first is trained on twice, as a full duplicate."""
    stack = [images[0], *images]
    with tarfile.open(root / "a.tar", "w") as tar:
        for i, image in enumerate(stack):
            data = encode_png(image)
            info = tarfile.TarInfo(f"{i}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    n = len(stack)
    captions = [CAPTIONS[0], *CAPTIONS[: n - 1]]
    rows = pd.DataFrame(
        {"row": range(n), "url": "", "caption": captions, "width": SIZE, "height": SIZE, "archive": str(root / "a.tar"),
         "member": [str(i) for i in range(n)], "status": "ok", "reason": ""}
    )  # fmt: skip
    write_table(root / "rows.parquet", "rows", rows)
    truth = pd.DataFrame(
        {"row": range(n), "image_id": [0, *range(n - 1)], "caption": captions, "kind": ["full"] * 2 + ["single"] * (n - 2),
         "count": [2, 2, *[1] * (n - 2)], "copy": [0, 1, *[0] * (n - 2)], "distortion": "none", "group": "", "family": "", "match": -1}
    )  # fmt: skip
    write_table(root / "truth.parquet", "truth", truth)
    known = make_labels(truth, {CAPTIONS[0]: ("MV", 0)})
    write_table(root / "known.parquet", "labels", known)


@pytest.mark.slow
def test_prompts_are_searched_generated_labelled_drawn_and_compared(tmp_path, run_script, tiny_sd):
    write_captions(tmp_path)
    for method in SEARCHES:
        search(tmp_path, run_script, tiny_sd, method)
    prompts = {method: generate(tmp_path, run_script, tiny_sd, method) for method in METHODS}
    assert prompts[KNOWN]["prompt"].tolist() == [CAPTIONS[0], *CAPTIONS[2:4]]  # one of a cluster
    costs = {m: read_table(tmp_path / m / "search.parquet", "costs").iloc[0] for m in SEARCHES}
    assert costs["gibbs"]["prompts"] == costs["random"]["prompts"] == 4 * 2 * 6
    # two chains a part: one row without a prompt for each part and step
    assert costs["gibbs"]["unet_rows"] == 48 + 2 * 2
    best = prompts["gibbs"].iloc[0]
    with ImageArchive(tmp_path / "gibbs/images.zip") as archive:
        copied = archive.read(generation_name(int(best["prompt_id"]), 0))
    once, never = np.random.default_rng(0).random((2, SIZE, SIZE, 3), np.float32)
    write_training(tmp_path, [copied, once, never])

    of = {
        name: [tmp_path / m / f"{name}.parquet" for m in METHODS]
        for name in ("prompts", "generations", "cost")
    }
    images = [tmp_path / m / "images.zip" for m in METHODS]
    data = {"rows": [tmp_path / "rows.parquet"], "archives": [tmp_path / "a.tar"]}
    run_script(
        "detectors/label_triggered.py",
        {"images": images, "generations": of["generations"]} | data,
        {"labels": tmp_path / "labels.parquet"},
        LABELS | {"near": 3, "repeats": 2, "methods": METHODS},
        wildcards={"model": "sd1"},
    )
    labels = read_table(tmp_path / "labels.parquet", "trigger_labels")
    assert labels.groupby("method").size().to_dict() == {m: 2 * len(p) for m, p in prompts.items()}
    mine = labels[labels["prompt_id"].eq(best["prompt_id"]) & labels["seed"].eq(0)].iloc[0]
    assert (mine["label"], mine["source_row"]) == ("RV", 0)
    assert mine["nearest"] < 0.01

    run_script(
        "detectors/plot_triggered.py",
        {"prompts": of["prompts"], "images": images, "labels": tmp_path / "labels.parquet"} | data,
        {"png": tmp_path / "sheet.png", "pdf": tmp_path / "sheet.pdf"},
        {"images": "full", "only": [], "methods": METHODS, "shown": 2, "dpi": 50},
        wildcards={"model": "sd1"},
    )
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")

    of_captions = costs["words"].to_frame().T.assign(stage="whitebox", prompts=10, unet_rows=11)
    write_table(tmp_path / "whitebox.parquet", "costs", of_captions.astype({"seconds": float}))
    run_script(
        "tables/compare_triggers.py",
        {"truth": tmp_path / "truth.parquet", "known": [tmp_path / "known.parquet"], "found": [tmp_path / "labels.parquet"],
         "prompts": of["prompts"], "costs": of["cost"],
         "searches": [*(tmp_path / m / "search.parquet" for m in SEARCHES), tmp_path / "whitebox.parquet"]},
        {"table": tmp_path / "triggers.csv"},
        {"models": ["sd1"], "methods": METHODS, "confidence": 0.95},
    )  # fmt: skip
    table = read_csv(tmp_path / "triggers.csv").set_index("method")
    assert table.index.tolist() == list(METHODS)
    assert table.loc["gibbs", ["images", "images_known", "once"]].tolist() == [1, 1, 0]
    assert table["search_rows"].tolist() == [*(costs[m]["unet_rows"] for m in SEARCHES), 11]
    # two steps, both halves of guidance
    assert (table["generation_rows"] == 4 * table["generations"]).all()


@pytest.mark.slow
def test_a_search_goes_on_from_the_chains_that_are_finished(
    tmp_path, run_script, tiny_sd, monkeypatch
):
    whole = search(tmp_path / "whole", run_script, tiny_sd, "gibbs", search={"chains": 3})
    few = search(tmp_path, run_script, tiny_sd, "gibbs", search={"chains": 2})
    assert set(few["prompt_id"]) == {0, 1}
    tried, plain = [], FirstStepEnergy.__call__

    def counted(self, prompts, seed):
        tried.extend(prompts)
        return plain(self, prompts, seed)

    monkeypatch.setattr(FirstStepEnergy, "__call__", counted)
    more = search(tmp_path, run_script, tiny_sd, "gibbs", search={"chains": 3})
    assert len(tried) == 2 * 6  # of the third chain alone
    pd.testing.assert_frame_equal(more, whole, check_exact=False, rtol=1e-4)
    other = search(tmp_path, run_script, tiny_sd, "gibbs", search={"chains": 3, "seed": 1})
    assert len(tried) == 4 * 2 * 6  # another seed finds nothing kept
    assert other["prompt"].tolist() != whole["prompt"].tolist()
