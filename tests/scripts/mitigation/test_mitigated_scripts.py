"""The rules of the mitigations that are attacked again, one after the other, on a tiny model with random weights."""

import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from made_sweep import INFERENCE

import verbatim.models.clip
from tiny_models import CAPTIONS, make_sd
from verbatim.io.images import encode_png
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.io.spreadsheets import read_csv

SIZE = 64  # pixels; a latent of 16 is the smallest that NeMo's similarity has room for
MODEL = {"family": "sd", "source": "train"}
CHANGES = {
    "none": ("nothing", True),
    "noise": ("noise", True),
    "nemo": ("weights", True),
    "rt": ("words", False),
}


class Embedder:
    def __init__(self, folder, device):
        assert (folder / "open_clip_config.json").exists()

    def embed_images(self, images, batch):
        mean = images.mean(axis=(1, 2)) + 1e-3
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def embed_texts(self, captions, batch):
        return np.tile(np.float32([1, 0, 0]), (len(captions), 1))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", Embedder)
    make_sd(tmp_path / "model", size=SIZE)
    (tmp_path / "open_clip_config.json").write_text("{}")
    images = np.random.default_rng(0).integers(0, 256, (10, SIZE, SIZE, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    kinds = ["full"] * 3 + ["single"] * 5 + ["held_out"] * 2
    truth = pd.DataFrame(
        {"row": [i if i < 8 else -1 for i in range(10)], "image_id": range(10), "caption": CAPTIONS, "kind": kinds,
         "count": 1, "copy": 0, "distortion": "", "group": "", "family": "", "match": -1}
    )  # fmt: skip
    write_table(tmp_path / "truth.parquet", "truth", truth)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for i in range(8):
            data = encode_png(images[i])
            info = tarfile.TarInfo(f"{i}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    rows = pd.DataFrame(
        {"row": range(8), "url": "", "caption": CAPTIONS[:8], "width": SIZE, "height": SIZE, "archive": str(tmp_path / "a.tar"),
         "member": [str(i) for i in range(8)], "status": "ok", "reason": ""}
    )  # fmt: skip
    write_table(tmp_path / "rows.parquet", "rows", rows)
    return tmp_path


def select(root, run_script):
    run_script(
        "tables/select_mitigated.py",
        {"truth": root / "truth.parquet"},
        {"prompts": root / "prompts.parquet"},
        {
            "prompts": {"memorized": 3, "once": 1, "never": 1, "reference": 4},
            "images": 1,
            "seed": 0,
        },
    )
    return read_table(root / "prompts.parquet", "mitigated")


def search(root, run_script):
    run_script(
        "mitigation/search_neurons.py",
        {"model": root / "model/model_index.json", "prompts": root / "prompts.parquet"},
        {"neurons": root / "neurons.parquet"},
        {"model": MODEL, "seeds": 2},
        wildcards={"model": "sd1"},
    )


def train(root, run_script, defence):
    neurons = root / "neurons.parquet" if defence == "nemo" else []
    run_script(
        "mitigation/train_embeddings.py",
        {"model": root / "model/model_index.json", "prompts": root / "prompts.parquet",
         "images": root / "images.npy", "neurons": neurons},
        {"embeddings": root / defence / "embeddings.parquet"},
        {"model": MODEL, "steps": 2, "rate": 0.1, "noises": 2, "batch": 2, "seed": 0},
        wildcards={"model": "sd1", "defence": defence},
    )  # fmt: skip
    return read_table(root / defence / "embeddings.parquet", "mitigation_embeddings")


def generate(root, run_script, defence):
    of = "nemo" if defence == "nemo" else "none"
    run_script(
        "mitigation/generate_mitigated.py",
        {"model": root / "model/model_index.json", "prompts": root / "prompts.parquet",
         "neurons": root / "neurons.parquet" if defence == "nemo" else [],
         "embeddings": root / of / "embeddings.parquet"},
        {name: root / defence / f"{name}.{'zip' if name == 'images' else 'parquet'}"
         for name in ("images", "generations", "scores", "spent")},
        {"model": MODEL, "sampler": "euler", "spacing": "karras", "steps": 2, "guidance": 3.0, "seeds": [0, 1], "batch": 4,
         "noise": {"steps": 2, "rate": 0.05, "target": 0.0}, "sail": {}, "prss": {}, "scores": ["wen_ddim_1", "nemo_ssim"],
         "inference": INFERENCE, "dcs_guidance": 7.5,
         "edges": {"guidance": 3.0, "size": 64, "sobel": "nd", "threshold": 12.0, "agreement": 0.5},
         "detectors": {"steps": 5, "guidance": 7.5, "gradient_batch": 2, "anisotropy": {"epsilon": [1, 2]}}},
        wildcards={"model": "sd1", "defence": defence},
    )  # fmt: skip


@pytest.mark.slow
def test_every_defence_is_generated_judged_attacked_and_compared(root, run_script):
    prompts = select(root, run_script)
    assert prompts.groupby("group").size().to_dict() == {
        "memorized": 3,
        "once": 1,
        "never": 1,
        "reference": 4,
    }
    search(root, run_script)
    # a model with random weights copies nothing: switch some neurons off all the same
    layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
    key = int(prompts.loc[prompts["known"], "prompt_id"].iloc[0])
    neurons = pd.DataFrame({"prompt_id": [key] * 4, "layer": layer, "neuron": range(4)})
    write_table(root / "neurons.parquet", "mitigation_neurons", neurons)
    plain, pruned = (train(root, run_script, defence) for defence in ("none", "nemo"))
    assert plain["start"].tolist() == ["embedding", "embedding", "random", "random"]
    assert set(plain["prompt_id"]) == set(prompts.loc[prompts["searched"], "prompt_id"])
    assert not np.allclose(np.stack(plain["states"]), np.stack(pruned["states"]))
    for defence in CHANGES:
        generate(root, run_script, defence)
    made = {d: read_table(root / d / "generations.parquet", "mitigation_attacked") for d in CHANGES}
    sizes = {d: table.groupby("attack").size().to_dict() for d, table in made.items()}
    assert sizes["none"] == {"prompt": 10, "embedding": 4, "random": 4, "other seeds": 4}
    assert sizes["noise"] == sizes["nemo"] == {"prompt": 10, "embedding": 4, "random": 4}
    assert sizes["rt"] == {"prompt": 10}
    files = {"prompts": root / "prompts.parquet", "own": root / "images.npy",
             "images": [root / d / "images.zip" for d in CHANGES],
             "generations": [root / d / "generations.parquet" for d in CHANGES]}  # fmt: skip
    run_script(
        "mitigation/label_mitigated.py",
        files | {"clip": root / "open_clip_config.json", "rows": [root / "rows.parquet"]},
        {"checks": root / "checks.parquet", "quality": root / "quality.parquet"},
        {"defences": list(CHANGES), "batch": 7},
        wildcards={"model": "sd1"},
    )
    checks = read_table(root / "checks.parquet", "mitigation_checks")
    assert len(checks) == sum(map(len, made.values()))
    assert checks["nearest"].between(0, 1).all()
    run_script(
        "mitigation/plot_mitigated.py",
        files,
        {"png": root / "sheet.png", "pdf": root / "sheet.pdf"},
        {"images": "full", "only": [], "defences": list(CHANGES), "shown": 1, "dpi": 50},
        wildcards={"model": "sd1"},
    )
    assert (root / "sheet.pdf").read_bytes().startswith(b"%PDF")
    run_script(
        "tables/compare_mitigations.py",
        {"prompts": root / "prompts.parquet", "checks": [root / "checks.parquet"], "quality": [root / "quality.parquet"],
         "scores": [root / d / "scores.parquet" for d in CHANGES], "spent": [root / d / "spent.parquet" for d in CHANGES]},
        {"table": root / "mitigations.csv", "scores": root / "mitigation_scores.csv"},
        {"models": ["sd1"], "changes": CHANGES, "threshold": 0.12, "resamples": 100, "confidence": 0.95, "seed": 0},
    )  # fmt: skip
    table = read_csv(root / "mitigations.csv").set_index("defence")
    assert table.index.tolist() == list(CHANGES)
    assert table["rows_memorized"].tolist() == [0, 6, 0, 0]  # three times the change, both halves
    assert table["frechet"].notna().all()
    assert table["meets_embeddings"].tolist() == [True, True, True, False]
    scores = read_csv(root / "mitigation_scores.csv")
    assert set(scores["defence"]) == set(CHANGES)
    assert {"wen_first_step", "ecs", "nemo_ssim", "wen_ddim_1"} <= set(scores["score"])


def test_a_prompt_is_known_by_its_caption(root, run_script):
    table = select(root, run_script)
    assert table["prompt_id"].tolist() == [prompt_id(caption) for caption in table["caption"]]
