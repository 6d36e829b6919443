"""Select the prompts that get one-step generations: the top by DCS, and all extra ones."""

from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.metrics.ranking import select_top
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        columns = ["prompt_id", "caption", "row", "extra", "rank"]
        prompts = read_table(smk.input.prompts, "prompts", columns)
        if smk.input.scores:
            ranks, why = read_table(smk.input.scores, "whitebox", ["prompt_id", "rank"]), "dcs"
        else:  # of a closed system: as dedup ranks them
            ranks, why = prompts[["prompt_id", "rank"]], "duplicated"
        table = select_top(prompts, ranks, smk.params.n_prompts, why)
        write_table(smk.output.selection, "selection", table)
        log.info("%d prompts, %d of them extra", len(table), table["extra"].sum())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
