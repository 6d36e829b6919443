"""Merge the shards of a model's white-box scores: means over seeds, and ranks."""

from typing import Any

from verbatim.io.records import TableWriter, read_table, write_table
from verbatim.io.result_cache import check_prompts, merge_costs, prune
from verbatim.runtime import script
from verbatim.whitebox.merge import mean_seeds, rank_prompts


def main(smk: Any) -> None:
    with script(smk) as log:
        means = []
        # a shard at a time: two million prompts have eight million lines
        with TableWriter(smk.output.seeds, "whitebox_seeds") as seeds:
            for path in smk.input.scores:
                shard = read_table(path, "whitebox_seeds")
                means.append(mean_seeds(shard))
                seeds.write(shard)
        scores = rank_prompts(means, smk.params.preset)
        prompts = read_table(smk.input.prompts, "prompts", ["prompt_id"])["prompt_id"]
        check_prompts(scores["prompt_id"], prompts, smk.input.prompts, smk.output.scores)
        write_table(smk.output.scores, "whitebox", scores)
        write_table(smk.output.cost, "costs", merge_costs(smk.input.costs))
        log.info("%d prompts ranked by preset %s", len(scores), smk.params.preset)
        log.info("unused kept results that were deleted: %s", prune(smk.params.kept) or "none")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
