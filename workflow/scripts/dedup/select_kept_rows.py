"""Rule select_kept_rows: rows and clusters -> the rows that a deduplicated training set keeps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.dedup.clusters import first_rows, kept_rows
from verbatim.dedup.spill import RowStream
from verbatim.io.records import TableWriter, read_table, rows_between
from verbatim.runtime import progress, scratch, script


def main(smk: Any) -> None:
    with script(smk) as log, scratch(smk.output.kept) as folder:

        def shards(what: str) -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
            for path in progress(smk.input.rows, what):
                usable = read_table(path, "rows", ["row"], [("status", "==", "ok")])["row"]
                yield (
                    usable.to_numpy(),
                    rows_between(smk.input.clusters, "clusters", usable.to_numpy()),
                )

        members = (inside[inside["row"].isin(usable)] for usable, inside in shards("shards"))
        firsts = RowStream(first_rows(members, folder, smk.params.memory_mb << 20))
        kept = total = 0
        with TableWriter(smk.output.kept, "kept_rows") as out:
            for usable, inside in shards("shards, again"):
                if len(usable):
                    here = firsts.upto(int(usable[-1]))["row"].to_numpy()
                    table = kept_rows(usable, inside["row"].to_numpy(), here)
                    out.write(table)
                    kept, total = kept + len(table), total + len(usable)
        log.info("%d of %d usable rows stay", kept, total)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
