"""What the guard lets out, judged by every training image of the embedded world, by kind of planted prompt."""

import contextlib
from typing import Any

import pandas as pd

from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table, read_tables
from verbatim.io.training_images import read_rows
from verbatim.runtime import script, write_text
from verbatim.tables.exhaustive import count_kinds, nearest_of_all, unlike
from verbatim.tables.text import csv_text
from verbatim.tables.truth import list_prompts


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = list_prompts(read_table(smk.input.truth, "truth"))
        _, images = read_rows(read_tables(smk.input.rows, "rows"))
        training = unlike(images)
        log.info("%d different training images", len(training))
        tables, at = [], 0
        for model, path, made in zip(p.models, smk.input.outcomes, smk.input.images, strict=True):
            outcomes = read_table(path, "guard_outcomes")
            with contextlib.ExitStack() as stack:
                archives: dict[str, Any] = {"none": stack.enter_context(ImageArchive(made))}
                for name in p.defences:
                    archives[name] = stack.enter_context(Images(smk.input.guarded[at]))
                    at += 1
                nearest = nearest_of_all(outcomes, archives, training)
            draws = (p.resamples, p.confidence, p.seed)
            table = count_kinds(outcomes, nearest, prompts, p.threshold, draws)
            tables.append(table.assign(model=model)[["model", *table.columns]])
        write_text(smk.output.table, csv_text(pd.concat(tables, ignore_index=True)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
