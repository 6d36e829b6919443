"""Merge the shards of a model's detectors: means over seeds, beside what each score costs by itself."""

from typing import Any

from verbatim.detectors.merge import mean_seeds
from verbatim.io.records import read_table, read_tables, write_table
from verbatim.io.result_cache import check_prompts, merge_costs, prune
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        seeds = read_tables(smk.input.scores, "detector_seeds")
        selection = read_table(smk.input.selection, "selection", ["prompt_id"])["prompt_id"]
        scores = mean_seeds(seeds, smk.params.steps, len(smk.params.seeds))
        for name, one in scores.groupby("score"):
            check_prompts(one["prompt_id"], selection, smk.input.selection, smk.output.scores)
            log.info("%s: %d prompts", name, len(one))
        write_table(smk.output.seeds, "detector_seeds", seeds)
        write_table(smk.output.scores, "detector_scores", scores)
        write_table(smk.output.cost, "costs", merge_costs(smk.input.costs))
        log.info("unused kept results that were deleted: %s", prune(smk.params.kept) or "none")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
