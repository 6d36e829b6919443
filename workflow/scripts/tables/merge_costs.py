"""Add up what every job spent, beside the cost of full generations for all prompts."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.costs import merge_costs
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        costs = pd.concat([read_table(path, "costs") for path in smk.input.costs])
        table = merge_costs(costs, smk.params.images, smk.params.steps)
        write_text(smk.output.table, csv_text(table))
        log.info("costs\n%s", table.to_string(index=False))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
