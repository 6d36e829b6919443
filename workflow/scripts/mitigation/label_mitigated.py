"""Compare every generation behind every defence with all training images and with its prompt; how far each defence moves general images."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table, read_tables, write_table
from verbatim.io.seals import read_array
from verbatim.io.training_images import read_rows
from verbatim.mitigation.outcomes_checked import Judge, frechet_to_none
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, progress, script
from verbatim.tables.exhaustive import unlike


def main(smk: Any) -> None:
    with script(smk) as log:
        p, prompts = smk.params, read_table(smk.input.prompts, "mitigated")
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        _, training = read_rows(read_tables(smk.input.rows, "rows"))
        training = unlike(training)
        log.info("%d different training images", len(training))
        judge = Judge(prompts, read_array(smk.input.own), training, clip)
        parts, vectors = [], {}
        files = zip(p.defences, smk.input.images, smk.input.generations, strict=True)
        for name, images, generations in progress(files, "defences", len(p.defences)):
            made = read_table(generations, "mitigation_attacked")
            with ImageArchive(images) as archive:
                checks, vectors[name] = judge.check(made, archive, p.batch)
            parts.append(checks.assign(defence=name))
        checks = pd.concat(parts, ignore_index=True)
        write_table(smk.output.checks, "mitigation_checks", checks)
        general = prompts.loc[~prompts["group"].isin(["memorized", "reference"]), "prompt_id"]
        quality = frechet_to_none(checks, vectors, set(general))
        write_table(smk.output.quality, "mitigation_quality", quality)
        log.info("%s", quality.to_string())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
