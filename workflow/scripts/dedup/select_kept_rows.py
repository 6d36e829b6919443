"""Rule select_kept_rows: rows and clusters -> the rows that a deduplicated training set keeps."""

import numpy as np

from verbatim.dedup.clusters import kept_rows
from verbatim.records import read_table, write_table
from verbatim.runtime import script


def main(smk):
    with script(smk) as log:
        usable = np.concatenate(
            [
                read_table(path, "rows", ["row"], filters=[("status", "==", "ok")])[
                    "row"
                ].to_numpy()
                for path in smk.input.rows
            ]
        )
        kept = kept_rows(read_table(smk.input.clusters, "clusters"), usable)
        log.info("%d of %d usable rows stay", len(kept), len(usable))
        write_table(smk.output.kept, "kept_rows", kept)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
