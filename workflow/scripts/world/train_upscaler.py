"""Train the second stage of one pixel model of the sheet on its training set and save it as diffusers does."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.images import to_uint8
from verbatim.io.records import read_table
from verbatim.io.training_images import read_rows
from verbatim.runtime import TrainingReport, device, script, write_digest
from verbatim.world.models import train_second_stage
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        rows = pd.concat([read_table(path, "rows") for path in smk.input.rows])
        rows = rows[rows.status == "ok"]
        if smk.input.get("kept_rows"):
            rows = rows[rows.row.isin(read_table(smk.input.kept_rows, "kept_rows").row)]
        rows, images = read_rows(rows)
        log.info("%s: stage II trains on %d rows", smk.wildcards.model, len(rows))
        folder = Path(smk.output.index).parent
        report = TrainingReport(f"{smk.wildcards.model}_upscaler", p.settings["steps"])
        train_second_stage(
            (to_uint8(images), list(rows.caption)),
            p.settings,
            p.reduction,
            Path(smk.input.text).parents[1],
            folder,
            TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report),
        )
        write_digest(smk.output.weights, folder)
        report.write(smk.output.training_log, p.checkpoint)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
