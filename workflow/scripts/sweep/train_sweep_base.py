"""Train the model that every point's training continues from, on scenes that no point is trained on."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.atomic import new_folder
from verbatim.io.records import read_table
from verbatim.io.seals import read_array, seal_folder
from verbatim.runtime import TrainingReport, device, script
from verbatim.sweep.point_training import (
    Origins,
    PointSettings,
    TrainingRows,
    save_point,
    train_point,
)
from verbatim.sweep.pool import list_captions
from verbatim.world.autoencoder import load_latents
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        images = read_array(smk.input.images)
        texts = list_captions(read_table(smk.input.table, "images"), p.captions)
        texts *= len(images) // len(texts)
        vae, latents = load_latents(Path(smk.input.vae).parent, images)
        log.info("%d images, %d captions", len(images), sum(map(len, texts)))
        report = TrainingReport("study base", p.training["steps"])
        with new_folder(Path(smk.output.config).parents[1]) as folder:
            unet, text, tokenizer = train_point(
                TrainingRows(latents, texts, np.ones(len(images))),
                PointSettings.of_base(p.training),
                Origins(Path(smk.input.clip).parent),
                TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report),
            )
            save_point(folder, unet, text, tokenizer, vae)
            seal_folder(folder)
        report.write(smk.output.training_log, p.checkpoint)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
