"""Make a file of users' prompts in DiffusionDB's layout for the embedded world."""

from typing import Any

import pyarrow as pa

from verbatim.io.parquet import write_parquet
from verbatim.io.records import read_table
from verbatim.io.user_prompts import LAYOUT, make_prompts
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        pool = read_table(smk.input.pool, "sweep_pool")
        rows = read_table(smk.input.rows, "sweep_rows")
        members = set(rows["image_id"][rows["member"]])
        prompts = make_prompts(pool, members, smk.params.n, smk.params.seed)
        table = pa.Table.from_pandas(prompts, LAYOUT, preserve_index=False)
        write_parquet(smk.output.prompts, table)
        log.info("%d prompts", len(prompts))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
