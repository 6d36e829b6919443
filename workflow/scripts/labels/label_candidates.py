"""Label every candidate of a shard MV, RV, TV or N by the training images nearest to its generations."""

from typing import Any

import pandas as pd

from verbatim.io.images import ImageArchive, seeds_of_prompts, write_archive
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.result_cache import take_shard
from verbatim.labels.fetched_images import ComparedRows, FetchedImages
from verbatim.labels.label import LabelSettings, label_prompts
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        selection = take_shard(selection, smk.wildcards.shard, p.prompts_a_shard, p.last)
        neighbours = read_table(smk.input.neighbours, "neighbours")
        fetched = read_table(smk.input.fetched, "fetched")
        relatives = read_table(smk.input.relatives, "relatives")
        thresholds = {kind.upper(): value for kind, value in p.thresholds.items()}
        mask, guards = MaskSettings(**p.mask), GuardSettings(**p.guards)
        settings = LabelSettings(p.preset, thresholds, p.order, mask, guards)
        records, masks = [], []
        with ImageArchive(smk.input.images) as made, ImageArchive(smk.input.training) as training:
            seeds = p.seeds or seeds_of_prompts(made.names())  # whatever a closed system gave
            images = FetchedImages(training.read, fetched, p.size)
            compared = ComparedRows(neighbours, relatives, images)
            verdicts = label_prompts(selection, seeds, made.read, images, compared, settings)
            for verdict in progress(verdicts, "prompts", len(selection)):
                records.append(verdict.record)
                if verdict.mask is not None:
                    masks.append((verdict.record["mask_file"], verdict.mask))
        table = pd.DataFrame(records, columns=SCHEMAS["labels"].names)
        write_archive(smk.output.masks, masks)
        write_table(smk.output.labels, "labels", table)
        log.info(
            "labels %s, %d for review", dict(table["label"].value_counts()), table["review"].sum()
        )
        for row, reason in sorted(images.unreadable.items())[:20]:
            log.info("training row %d not compared: %s", row, reason)
        log.info("%d training rows could not be compared", len(images.unreadable))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
