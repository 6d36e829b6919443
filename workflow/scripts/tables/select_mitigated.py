"""Choose the prompts that mitigations are tested on, and the images that are attacked again."""

from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.runtime import script
from verbatim.tables.mitigated_prompts import select_prompts


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = select_prompts(read_table(smk.input.truth, "truth"), p.prompts, p.images, p.seed)
        write_table(smk.output.prompts, "mitigated", table)
        log.info("%s", table["group"].value_counts().to_dict())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
