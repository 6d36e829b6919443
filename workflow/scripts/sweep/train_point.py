"""Train one point of the study with one seed; a training that diverges is recorded as failed, with its reason."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.atomic import new_folder
from verbatim.io.records import read_table, write_table
from verbatim.io.seals import check_folder, read_array, seal_folder
from verbatim.runtime import TrainingReport, device, script
from verbatim.sweep.point_training import (
    Diverged,
    Origins,
    PointSettings,
    TrainingRows,
    save_point,
    train_point,
)
from verbatim.sweep.pool import take_rows
from verbatim.world.autoencoder import load_latents
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p, name = smk.params, f"{smk.wildcards.point}/{smk.wildcards.seed}"
        checkpoint = Path(p.checkpoints) / f"{smk.wildcards.point}-{smk.wildcards.seed}.safetensors"
        table = read_table(smk.input.table, "images")
        codes = dict(zip(table.image_id.tolist(), table.code, strict=True))
        rows, texts = take_rows(
            read_table(smk.input.pool, "sweep_pool"), p.point, p.captions, codes
        )
        members = rows[rows.member]
        images = read_array(smk.input.images)[members.image_id]
        base = Path(smk.input.base).parents[1]
        check_folder(base)
        vae, latents = load_latents(Path(smk.input.vae).parent, images)
        log.info("%s: %d images, %d captions", name, len(members), sum(map(len, texts)))
        report = TrainingReport(name, p.point["steps"])
        reason = ""
        with new_folder(smk.output.model) as folder:
            try:
                clip = Path(smk.input.clip).parent
                unet, text, tokenizer = train_point(
                    TrainingRows(latents, texts, members.weight.to_numpy()),
                    PointSettings(p.point, p.training, p.mitigations),
                    Origins(clip, base),
                    TrainingRun(p.seed, device(), checkpoint, p.checkpoint_every, report),
                )
                save_point(folder, unet, text, tokenizer, vae)
                seal_folder(folder)
            except Diverged as err:
                reason = str(err)
                log.warning("%s failed: %s", name, reason)
        losses = [row[1] for row in report.rows[-50:]]
        state = {
            "point": [smk.wildcards.point],
            "seed": [int(smk.wildcards.seed)],
            "status": ["failed" if reason else "ok"],
            "reason": [reason],
            "steps": [report.rows[-1][0] + 1 if report.rows else 0],
            "seconds": [report.rows[-1][3] if report.rows else 0.0],
            "loss": [float(np.mean(losses)) if losses else float("nan")],
        }
        write_table(smk.output.rows, "sweep_rows", rows)
        write_table(smk.output.state, "sweep_state", state)
        report.write(smk.output.training_log, checkpoint)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
