"""Select the prompts that are generated in full, many times: the top by ECS, and all extra ones."""

from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.metrics.ranking import select_top
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        scored = read_table(smk.input.selection, "selection")
        ranks = read_table(smk.input.scores, "blackbox", ["prompt_id", "rank"])
        table = select_top(scored, ranks, smk.params.n_prompts, "ecs")
        write_table(smk.output.selection, "selection", table)
        log.info("%d prompts, %d of them extra", len(table), table["extra"].sum())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
