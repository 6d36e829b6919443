"""Merge the labels and masks of all shards of a model's candidates."""

from typing import Any

from verbatim.io.images import merge_archives
from verbatim.io.missing import check_missing
from verbatim.io.records import read_table, read_tables, write_table
from verbatim.io.result_cache import check_prompts
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        labels = read_tables(smk.input.labels, "labels")
        selection = read_table(smk.input.selection, "selection", ["prompt_id"])["prompt_id"]
        check_prompts(labels["prompt_id"], selection, smk.input.selection, smk.output.labels)
        missing = labels.loc[labels["status"] == "missing", "review_reason"]
        check_missing(
            missing.value_counts().to_dict(), len(labels), smk.params.most_missing,
            "labels",
        )  # fmt: skip
        merge_archives(smk.output.masks, smk.input.masks)
        write_table(smk.output.labels, "labels", labels)
        counts = dict(labels["label"].value_counts())
        log.info("labels %s, %d for review", counts, labels["review"].sum())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
