"""Rule build_rows: one shard's metadata and embeddings -> its rows in the canonical form."""

import numpy as np

from verbatim.inputs.archives import read_ranges
from verbatim.inputs.rows import build_rows, read_metadata
from verbatim.records import read_manifest, write_table
from verbatim.runtime import script


def main(smk):
    with script(smk) as log:
        shard = read_manifest(smk.input.manifest).set_index("shard").loc[smk.wildcards.shard]
        rows = build_rows(
            read_metadata(smk.input.metadata),
            np.load(smk.input.embeddings, mmap_mode="r", allow_pickle=False),
            first_row=int(shard["first_row"]),
            archives=read_ranges(smk.input.archives),
            caption_chars=(smk.params.min_caption_chars, smk.params.max_caption_chars),
            norm_tolerance=smk.params.norm_tolerance,
        )
        log.info("%d rows: %s", len(rows), rows["status"].value_counts().to_dict())
        for reason, count in rows["reason"][rows["status"] != "ok"].value_counts().head(10).items():
            log.info("%d rows: %s", count, reason)
        write_table(smk.output.rows, "rows", rows)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
