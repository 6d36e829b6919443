"""Train one model of the sheet on its training set and save it as a diffusers pipeline."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.images import to_uint8
from verbatim.io.records import read_table, write_table
from verbatim.io.training_images import read_rows
from verbatim.runtime import TrainingReport, device, script, write_digest
from verbatim.world.models import Origins, train_model
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        rows = pd.concat([read_table(path, "rows") for path in smk.input.rows])
        rows = rows[rows.status == "ok"]
        if smk.input.get("kept_rows"):
            rows = rows[rows.row.isin(read_table(smk.input.kept_rows, "kept_rows").row)]
        rows, images = read_rows(rows)
        log.info("%s: trains on %d rows", smk.wildcards.model, len(rows))
        report = TrainingReport(smk.wildcards.model, p.settings["steps"])
        origins = Origins(
            clip=Path(smk.input.clip).parent,
            vae=Path(smk.input.vae).parent if smk.input.get("vae") else None,
            init=Path(smk.input.init).parent if smk.input.get("init") else None,
            text=Path(smk.input.text).parents[1] if smk.input.get("text") else None,
        )
        run = TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report)
        data = (to_uint8(images), list(rows.caption))
        train_model(p.family, data, p.settings, origins, Path(smk.output.index).parent, run)
        write_table(smk.output.rows, "kept_rows", rows[["row"]])
        write_digest(smk.output.weights, Path(smk.output.index).parent)
        report.write(smk.output.training_log, p.checkpoint)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
