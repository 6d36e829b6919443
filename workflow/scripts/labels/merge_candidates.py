"""Put the syntheses of all shards of a model's candidates into one archive."""

from verbatim.io.image_store import Pictures
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import check_prompts, merge_costs, prune
from verbatim.runtime import script


def main(smk):
    with script(smk) as log:
        selection = read_table(smk.input.selection, "selection", ["prompt_id"])["prompt_id"]
        with Pictures(*smk.input.images) as pictures:
            check_prompts(pictures.prompt_ids, selection, smk.input.selection, smk.output.images)
            pictures.merge(smk.output.images)
        write_table(smk.output.cost, "costs", merge_costs(smk.input.costs))
        log.info("syntheses of %d prompts", len(selection))
        log.info("kept work that is of no use any more: %s", prune(smk.params.kept) or "none")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
