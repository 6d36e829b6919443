"""Train the VAE that the latent models share, on every image that a model is trained on."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.atomic import new_folder
from verbatim.io.records import read_table
from verbatim.io.seals import read_array, seal_folder
from verbatim.runtime import TrainingReport, device, script
from verbatim.world.autoencoder import checkpoint_parts, reconstruction_rmse, train_autoencoder
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        truth = read_table(smk.input.truth, "truth")
        images = read_array(smk.input.images)
        trained = np.unique(truth.loc[truth["row"] >= 0, "image_id"])
        held_out = np.setdiff1d(np.arange(len(images)), trained)
        report = TrainingReport("vae", p.settings["steps"] + p.settings["whole_steps"])
        vae = train_autoencoder(
            images[trained],
            p.settings,
            TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report),
        )
        for name, some in (("trained", trained[::8]), ("held out", held_out)):
            rmse = reconstruction_rmse(vae, images[some])
            log.info(
                "reconstruction RMSE, %s: median %.4f, 90 %% below %.4f",
                name,
                *np.quantile(rmse, [0.5, 0.9]),
            )
        with new_folder(Path(smk.output.config).parent) as folder:
            vae.save_pretrained(folder)
            seal_folder(folder)
        report.write(smk.output.training_log, p.checkpoint)
        for file in checkpoint_parts(Path(p.checkpoint)):
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
