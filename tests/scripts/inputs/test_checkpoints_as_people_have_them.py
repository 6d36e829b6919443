"""From a row of the models sheet to scores and images: a single file, a LoRA on top, SDXL, and rectified flow."""

import numpy as np
import pandas as pd
import pytest
import torch
from loras import pair, save
from single_files import keys_of, save_single
from tiny_pipelines import make_flux, make_sd3, make_sd_pipeline, make_sdxl

from tiny_models import CAPTIONS
from verbatim.config.settings import ConfigError
from verbatim.config.sheet import loading_row, read_models
from verbatim.config.sources import check_revisions
from verbatim.io.image_store import ImageArchive
from verbatim.io.records import prompt_id, read_table, write_table

SHEET = ["model", "name", "family", "source", "revision", "dtype", "memory", "lora", "lora_scale", "prediction", "configs", "init", "training", "deduplicated", "candidates", "whitebox", "reference"]  # fmt: skip
ROW = dict.fromkeys(SHEET, "") | {
    "model": "mine", "name": "Mine", "dtype": "float32", "memory": "offload", "deduplicated": "unknown",
    "candidates": "own", "whitebox": "yes",
}  # fmt: skip
MAKERS = {
    "sd single file": (make_sd_pipeline, "sd", {}),
    "sd2 v single file": (lambda f, r: make_sd_pipeline(f, r, 23, "v_prediction"), "sd", {"prediction": "v_prediction"}),
    "sdxl single file": (make_sdxl, "sdxl", {}),
    "sdxl": (make_sdxl, "sdxl", {}),
    "sd3": (make_sd3, "flow", {}),
    "flux": (make_flux, "flow", {}),
}  # fmt: skip


def write_sheet(folder, **cells):
    row = ROW | cells
    path = folder / "models.tsv"
    path.write_text("\t".join(SHEET) + "\n" + "\t".join(str(row[c]) for c in SHEET) + "\n")
    return path


def check_sheet(path):
    """What every start of a run does with the sheet."""
    sheet = read_models(path, ".")
    check_revisions({"models": path.name}, sheet, sheet)
    return sheet


def make_lora(file, pipeline, part):
    network = getattr(pipeline, part)
    keys = {}
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear) and name.endswith("to_q"):
            down, up = pair(layer, len(keys))
            keys |= {f"{part}.{name}.lora_A.weight": down, f"{part}.{name}.lora_B.weight": up}
    return save(file, keys)


@pytest.fixture
def row(request, tmp_path):
    """The sheet's row of this kind, with a LoRA, read from a sheet as a user writes it."""
    make, family, cells = MAKERS[request.param]
    pipeline = make(tmp_path / "model", tmp_path / "scratch")
    source = tmp_path / "model"
    if "single" in request.param:
        source = save_single(tmp_path / "mine.safetensors", keys_of(pipeline))
        cells = cells | {"configs": tmp_path / "model"}
    part = "transformer" if family == "flow" else "unet"
    lora = make_lora(tmp_path / "lora.safetensors", pipeline, part)
    cells = cells | {"family": family, "source": source, "lora": lora, "lora_scale": "0.5"}
    return loading_row(check_sheet(write_sheet(tmp_path, **cells)), "mine")


@pytest.mark.slow
@pytest.mark.parametrize("row", MAKERS, indirect=True)
def test_a_row_leads_to_scores_and_generations(row, run_script, tmp_path):
    source = row["source"]
    run_script(
        "inputs/check_model.py", output={"files": tmp_path / "mine.tsv"}, params={"model": row}
    )
    listed = pd.read_csv(tmp_path / "mine.tsv", sep="\t").file.tolist()
    assert "lora/lora.safetensors" in listed
    model = source if source.endswith(".safetensors") else f"{source}/model_index.json"
    given = {"model": model, "checked": tmp_path / "mine.tsv"}

    captions = CAPTIONS[:4]
    ids = [prompt_id(caption) for caption in captions]
    prompts = pd.DataFrame({"caption": captions, "row": range(4), "prompt_id": ids})
    prompts = prompts.assign(
        cluster=-1, cluster_size=1, caption_count=1, share_equal_captions=1.0, extra=False,
        rank=range(4),
    )  # fmt: skip
    write_table(tmp_path / "prompts.parquet", "prompts", prompts)
    shared = {"prompts_a_shard": 10, "prompts_a_part": 10, "last": True, "model": row, "batch": 4}
    run_script(
        "whitebox/denoise_whitebox.py",
        input={"prompts": tmp_path / "prompts.parquet", **given},
        output={"scores": tmp_path / "s.parquet", "cost": tmp_path / "s.cost.parquet"},
        params={"guidance": 5.0, "seeds": [0], "kept": tmp_path / "kept"} | shared,
        wildcards={"model": "mine", "shard": "00000"},
    )
    scores = read_table(tmp_path / "s.parquet", "whitebox_seeds")
    assert np.isfinite(scores[["dcs_reference", "dcs_paper", "wen_first_step"]]).all().all()
    assert scores["dcs_reference"].nunique() == 4
    assert read_table(tmp_path / "s.cost.parquet", "costs")["unet_rows"].sum() == 5

    run_script(
        "whitebox/score_whitebox.py",
        input={
            "prompts": tmp_path / "prompts.parquet", "scores": [tmp_path / "s.parquet"],
            "costs": [tmp_path / "s.cost.parquet"],
        },
        output={name: tmp_path / f"{name}.parquet" for name in ("seeds", "scores", "cost")},
        params={"preset": "reference", "kept": tmp_path / "kept"},
        wildcards={"model": "mine"},
    )  # fmt: skip
    selection = prompts[["prompt_id", "caption", "row", "extra"]].assign(why="dcs")
    write_table(tmp_path / "selection.parquet", "selection", selection)
    table = tmp_path / "blackbox.parquet"
    run_script(
        "blackbox/select_blackbox.py",
        input={"prompts": tmp_path / "prompts.parquet", "scores": tmp_path / "scores.parquet"},
        output={"selection": table},
        params={"n_prompts": 4},
        wildcards={"model": "mine"},
    )
    run_script(
        "blackbox/generate_blackbox.py",
        input={"selection": table, **given},
        output={"images": tmp_path / "one.parquet", "cost": tmp_path / "one.cost.parquet"},
        params={"guidances": (5.0,), "seeds": [0, 1], "kept": tmp_path / "kept_one"} | shared,
        wildcards={"model": "mine", "shard": "00000"},
    )
    assert read_table(tmp_path / "one.cost.parquet", "costs")["unet_rows"].sum() == 2 * 4 + 2
    run_script(
        "labels/generate_candidates.py",
        input={"selection": tmp_path / "selection.parquet", "filtered": [], **given},
        output={"images": tmp_path / "full.parquet", "cost": tmp_path / "full.cost.parquet"},
        params={
            "seeds": [0], "sampler": "euler", "spacing": "karras", "steps": 2, "guidance": 5.0, "upscaler": {},
            "kept": tmp_path / "kept_full",
        } | shared,
        wildcards={"model": "mine", "shard": "00000"},
    )  # fmt: skip
    run_script(
        "labels/merge_candidates.py",
        input={
            "selection": tmp_path / "selection.parquet", "images": [tmp_path / "full.parquet"],
            "costs": [tmp_path / "full.cost.parquet"],
        },
        output={"images": tmp_path / "full.zip", "cost": tmp_path / "merged.parquet"},
        params={"kept": tmp_path / "kept_full"},
        wildcards={"model": "mine"},
    )  # fmt: skip
    with ImageArchive(tmp_path / "full.zip") as archive:
        assert len(archive.names()) == 4
        assert archive.read(archive.names()[0]).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"family": "sd", "source": "a/model.ckpt"}, "names a pickle, .*/convert_pickle"),
        ({"family": "sd", "source": "a/model.safetensors"}, "no such file; correct the column source"),
        ({"family": "sd", "source": "owner/name", "lora": "a.safetensors"}, "no such file; correct the column lora"),
        ({"family": "sd", "source": "owner/name", "prediction": "epsilon"}, "is for a single .safetensors file"),
        ({"family": "sd", "source": "train", "training": "all", "lora": "a.safetensors"}, "but is trained here"),
        ({"family": "if", "source": "x", "upscaler": "y", "lora": "a.safetensors"}, "only the families sd, sdxl, flow"),
        ({"family": "sd", "source": "x", "lora_scale": "0.5"}, "has the lora_scale '0.5', but no lora"),
        ({"family": "sd", "source": "x", "lora": "a.safetensors", "lora_scale": "much"}, "lora_scale is 'much'"),
        ({"family": "sd", "source": "x", "lora": "a.pt"}, "lora is 'a.pt'"),
        ({"family": "sd", "source": "x", "prediction": "noise"}, "prediction is 'noise'"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_loaded_is_refused_before_any_work(tmp_path, cells, words):
    path = tmp_path / "models.tsv"
    row = ROW | {"upscaler": ""} | cells
    names = [*SHEET, "upscaler"]
    path.write_text("\t".join(names) + "\n" + "\t".join(row[c] for c in names) + "\n")
    with pytest.raises(ConfigError, match=words):
        check_sheet(path)


def test_an_empty_cell_of_an_optional_column_reruns_nothing(tmp_path):
    with_columns = read_models(write_sheet(tmp_path, family="sd", source="x"), ".")
    assert list(loading_row(with_columns, "mine")) == [
        "model", "family", "source", "revision", "dtype", "memory",
    ]  # fmt: skip
