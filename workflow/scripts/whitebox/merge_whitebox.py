"""Put the shards of a model's white-box scores together: means over seeds, and ranks."""

from verbatim.records import read_table, read_tables, write_table
from verbatim.runtime import script
from verbatim.whitebox.merge import merge_seeds


def main(smk):
    with script(smk) as log:
        seeds = read_tables(smk.input.scores, "whitebox_seeds")
        scores = merge_seeds(seeds, smk.params.preset)
        prompts = read_table(smk.input.prompts, "prompts", ["prompt_id"])
        lacking = set(prompts["prompt_id"]) ^ set(scores["prompt_id"])
        if lacking:
            raise ValueError(
                f"{smk.output.scores}: prompt_id {min(lacking)} ({len(lacking)} in all) is only in one "
                f"of {smk.input.prompts} and the shards; delete the shards and run again"
            )
        write_table(smk.output.seeds, "whitebox_seeds", seeds)
        write_table(smk.output.scores, "whitebox", scores)
        log.info("%d prompts ranked by preset %s", len(scores), smk.params.preset)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
