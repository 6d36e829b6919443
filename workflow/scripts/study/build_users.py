"""Make a file of prompts in DiffusionDB's layout for the embedded world, which has no users."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.records import read_table
from verbatim.runtime import script
from verbatim.study.users import LAYOUT, make_prompts


def main(smk):
    with script(smk) as log:
        pool = read_table(smk.input.pool, "study_pool")
        rows = read_table(smk.input.rows, "study_rows")
        members = set(rows["picture_id"][rows["member"]])
        prompts = make_prompts(pool, members, smk.params.n, smk.params.seed)
        path = Path(smk.output.prompts)
        part = path.with_name(path.name + ".part")
        pq.write_table(pa.Table.from_pandas(prompts, LAYOUT, preserve_index=False), part)
        os.replace(part, path)
        log.info("%d prompts", len(prompts))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
