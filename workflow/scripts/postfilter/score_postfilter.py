"""Merge the shards of a model's clique scores, and rank the prompts."""

from typing import Any

from verbatim.io.image_store import merge_archive_tables
from verbatim.io.records import read_table, read_tables, write_table
from verbatim.io.result_cache import check_prompts, merge_costs, prune
from verbatim.metrics.ranking import rank_cliques
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        scores = read_tables(smk.input.scores, "postfilter")
        selection = read_table(smk.input.selection, "selection", ["prompt_id"])["prompt_id"]
        check_prompts(scores["prompt_id"], selection, smk.input.selection, smk.output.scores)
        scores["rank"] = rank_cliques(scores)
        write_table(smk.output.scores, "postfilter", scores)
        merge_archive_tables(smk.output.images, smk.input.images)
        write_table(smk.output.cost, "costs", merge_costs(smk.input.costs))
        log.info(
            "%d of %d prompts kept, %d undecided; %.1f images a prompt", scores["kept"].sum(),
            len(scores), (~scores["certain"]).sum(), scores["n_images"].mean(),
        )  # fmt: skip
        log.info("unused kept results that were deleted: %s", prune(smk.params.kept) or "none")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
