"""The scripts of `evidence`, run as jobs run them, on a made-up run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from made_evidence import GUARDS, MASK, ORDER, SEARCH, SEEDS, SIZE, TEST, files_of
from rule_names import check_names
from script_files import run_job

ROOT = Path(__file__).resolve().parents[1]
PARTS = [ROOT / f"workflow/report/review/page.{kind}" for kind in ("html", "css", "js")]
SETTINGS = {
    "labels": {
        "preset": "paper", "size": SIZE, "seeds": SEEDS, "thresholds": {"mv": 0.12, "rv": 0.12, "tv": 0.12},
        "order": ORDER, "mask": MASK, "guards": GUARDS,
    },
    "evidence": {"size": SIZE, **SEARCH},
    "test": TEST,
}  # fmt: skip


def run_rule(rule, root, inputs, outputs, params, wildcards=None):
    path = f"evidence/{rule}.py"
    check_names(path, inputs, outputs, params)
    log = root / "logs" / f"{rule}.log"
    run_job(path, log, (inputs, outputs), params, wildcards=wildcards)


def check_copies(root, model="sd1", **changes):
    files = files_of(root, model)
    files.pop("masks")
    inputs = files | {
        "clusters": root / "dedup/clusters.parquet",
        "stats": root / "dedup/cluster_stats.parquet",
    }
    path = root / f"evidence/{model}/verification.parquet"
    params = {
        "seeds": SEEDS, "guards": GUARDS, "size": SIZE, "search": SEARCH, "test": TEST,
        "placeholder": {"captions": 20, "overlap": 0.1},
    }  # fmt: skip
    run_rule(
        "check_copies",
        root,
        inputs,
        {"verification": path, "null": path.with_name("null.parquet")},
        params | changes,
    )
    return path


def build_sheet(root, images="full", n=5):
    folder = root / "evidence/sheets"
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {name: files_of(root)[name] for name in ("labels", "images", "training")}
    run_rule(
        "build_sheet", root, inputs | {"known_prompts": []},
        {"sheet": folder / "sd1.png", "pairs": folder / "sd1.csv"},
        {"n": n, "seed": 0, "columns": 4, "images": images, "only": [], "size": SIZE},
        {"model": "sd1"},
    )  # fmt: skip
    return folder / "sd1.png", pd.read_csv(folder / "sd1.csv")


def build_review(root, decisions, models=("sd1",), images="full", only=(), tokens=()):
    of_models = {name: [files_of(root, m)[name] for m in models] for name in ("labels", "images", "training", "masks")}  # fmt: skip
    review = root / "evidence/review"
    run_rule(
        "build_review", root,
        of_models
        | {
            "verification": [root / f"evidence/{m}/verification.parquet" for m in models],
            "whitebox": [root / "whitebox/sd1/scores.parquet"],
            "blackbox": [root / "blackbox/sd1/scores.parquet"],
            "rows": [root / "inputs/rows/00000.parquet"], "decisions": decisions, "parts": PARTS,
            "known_prompts": [root / "labels/sd1/labels.parquet"], "tokens": list(tokens),
        },
        {"page": review / "index.html", "images": review / "images"},
        {
            "names": {m: f"Model {m}" for m in models}, "known": list(models), "attacked": ["sd1"],
            "size": SIZE, "alpha": TEST["alpha"], "images": images, "only": list(only),
        },
    )  # fmt: skip
    return review


def build_bundle(root, finding="all", images="full", only=(), name=None, known=None):
    folder = root / "evidence/bundles/sd1" / (name or finding)
    (root / "weights.sha256").write_text("a" * 64 + "  unet/model.safetensors\n")
    files = files_of(root)
    names = ("labels", "fetched", "images", "training", "masks")
    inputs = {name: files[name] for name in names} | {
        "known_prompts": known or [root / "labels/sd1/labels.parquet"],
        "verification": root / "evidence/sd1/verification.parquet",
        "null": root / "evidence/sd1/null.parquet",
        "rows": [root / "inputs/rows/00000.parquet"],
        "weights": root / "weights.sha256",
        "computed": [ROOT / "workflow/src/verbatim/labels/label.py"],
        "code": [ROOT / "workflow/src/verbatim/metrics/rmse.py"],
    }
    run_rule(
        "build_bundle", root, inputs, {"bundle": folder, "head": folder.with_name(folder.name + ".head")},
        {
            "model": {"model": "sd1", "family": "sd", "source": "train"}, "upscaler": {},
            "settings": SETTINGS, "home": str(ROOT), "images": images, "only": list(only),
        },
        {"model": "sd1", "finding": finding},
    )  # fmt: skip
    return folder
