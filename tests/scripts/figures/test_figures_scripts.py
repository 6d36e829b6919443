"""The scripts of `figures`, run as a job runs them, on a whole made-up run."""

import numpy as np
import pandas as pd
import pytest
from made_results import MODELS, write_run
from PIL import Image

from verbatim.tables.statistics import wilson

ATTACKED = {one["model"]: one["name"] for one in MODELS if one["attacked"]}
NAMES = {one["model"]: one["name"] for one in MODELS}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    truth = write_run(root)
    rng = np.random.default_rng(0)
    np.save(root / "world/pictures.npy", rng.integers(0, 256, (601, 16, 16, 3), np.uint8))
    captions = truth.drop_duplicates("caption").query("kind != 'finetune_0'")
    from verbatim.records import prompt_id

    scores = pd.concat(
        captions[["caption", "kind"]].assign(
            model=model, prompt_id=[prompt_id(c) for c in captions["caption"]], verdict="N",
            dcs_reference=rng.uniform(100, 900, len(captions)),
        )
        for model in ATTACKED
    )  # fmt: skip
    (root / "tables").mkdir()
    scores.to_csv(root / "tables/detectors.csv", index=False)
    pd.DataFrame(
        {"model": "sd1", "detector": "dcs_reference", "positives": "full", "negatives": ["held_out"],
         "auc": 0.9, "low": 0.8, "high": 1.0, "found": 0.5}
    ).to_csv(root / "tables/evaluation.csv", index=False)  # fmt: skip
    k = np.arange(1, 11)
    low, high = wilson(k // 2, k, 0.95)
    curve = {"k": k, "found": k // 2, "precision": (k // 2) / k, "low": low, "high": high}
    pd.DataFrame({"model": "sd1", "detector": "DCS"} | curve).to_csv(
        root / "tables/precision.csv", index=False
    )
    pd.DataFrame(
        {"model": "sd1", "kind": "full", "count": ["all", "3"], "planted": 6, "recall": 0.5, "low": 0.2, "high": 0.8}
    ).to_csv(root / "tables/recall.csv", index=False)  # fmt: skip
    return root


def archives(root, stage, file, models):
    return [root / stage / model / file for model in models]


def inputs_of(root, figure):
    table = root / "tables"
    return {
        "triples": {
            "labels": archives(root, "labels", "labels.parquet", NAMES),
            "images": archives(root, "labels", "images.zip", NAMES),
            "training": archives(root, "labels", "training.zip", NAMES),
            "masks": archives(root, "labels", "masks.zip", NAMES),
            "one_step": archives(root, "blackbox", "images.parquet", ATTACKED),
        },
        "syntheses": {
            "truth": root / "world/truth.parquet", "pictures": root / "world/pictures.npy",
            "prompts": table / "detectors.csv",
            "images": archives(root, "labels", "images.zip", ATTACKED),
            "one_step": archives(root, "blackbox", "images.parquet", ATTACKED),
        },
        "precision": {"table": table / "precision.csv"},
        "histogram": {"scores": table / "detectors.csv", "evaluation": table / "evaluation.csv"},
        "recall": {"table": table / "recall.csv"},
    }[figure]  # fmt: skip


PARAMS = {
    "triples": {"names": NAMES, "attacked": list(ATTACKED), "seed": 0, "examples": 2},
    "syntheses": {"names": ATTACKED, "column": "dcs_reference", "one_step_seed": 0, "seeds": [0, 1], "examples": 2},
    "precision": {"names": ATTACKED},
    "histogram": {"names": ATTACKED, "column": "dcs_reference"},
    "recall": {"names": NAMES},
}  # fmt: skip


@pytest.mark.parametrize("figure", PARAMS)
def test_each_figure_is_written_as_a_picture_and_as_a_page(run_script, finished, tmp_path, figure):
    png, pdf = tmp_path / "figures" / f"{figure}.png", tmp_path / "figures" / f"{figure}.pdf"
    run_script(
        f"figures/plot_{figure}.py",
        input=inputs_of(finished, figure),
        output={"png": png, "pdf": pdf},
        params=PARAMS[figure] | {"dpi": 60},
    )
    with Image.open(png) as image:
        assert image.width == 432  # 7.2 inches
        assert np.asarray(image.convert("L")).std() > 5
    assert pdf.read_bytes().startswith(b"%PDF")
