"""Put the generations of all shards of a model's candidates into one archive."""

from typing import Any

from verbatim.io.image_store import Images
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import check_prompts, merge_costs, prune
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        selection = read_table(smk.input.selection, "selection", ["prompt_id"])["prompt_id"]
        with Images(*smk.input.images) as images:
            check_prompts(images.prompt_ids, selection, smk.input.selection, smk.output.images)
            images.merge(smk.output.images)
        write_table(smk.output.cost, "costs", merge_costs(smk.input.costs))
        log.info("generations of %d prompts", len(selection))
        log.info("unused kept results that were deleted: %s", prune(smk.params.kept) or "none")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
