"""Put the study's images in the order in which points take them in, and say which are duplicated or held out."""

from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.io.seals import read_array
from verbatim.runtime import script
from verbatim.sweep.pool import find_distinct, select_pool


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = read_table(smk.input.table, "images")
        images = read_array(smk.input.images)
        distinct = find_distinct(images, table.family.to_numpy())
        pool = select_pool(table, distinct, p.duplicated, p.held_out, p.most, p.seed)
        log.info("%d images, %d of them held out", len(pool), pool.held_out.sum())
        write_table(smk.output.pool, "sweep_pool", pool)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
