"""Rule build_rows: one shard's metadata and embeddings -> its rows in the canonical form."""

from typing import Any

import numpy as np

from verbatim.inputs.archives import read_ranges
from verbatim.inputs.layouts import JOIN
from verbatim.inputs.rows import build_rows, read_shard
from verbatim.io.records import read_manifest, write_table
from verbatim.io.seals import check_file
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        shard = read_manifest(smk.input.manifest).set_index("shard").loc[smk.wildcards.shard]
        tables, array = shard["metadata"].split(JOIN), shard["embeddings"]
        metadata = read_shard(tables, int(shard["metadata_row"]), int(shard["rows"]))
        if array:
            check_file(array)  # embeddings that were computed here; others have no checksum
        rows = build_rows(
            metadata,
            np.load(array, mmap_mode="r", allow_pickle=False) if array else None,
            first_row=int(shard["first_row"]),
            archives=read_ranges(smk.input.archives),
            caption_chars=(smk.params.min_caption_chars, smk.params.max_caption_chars),
            norm_tolerance=smk.params.norm_tolerance,
        )
        log.info("%d rows: %s", len(rows), rows["status"].value_counts().to_dict())
        log.info("NSFW in the source: %s", metadata["nsfw"].value_counts(dropna=False).to_dict())
        for reason, count in rows["reason"][rows["status"] != "ok"].value_counts().head(10).items():
            log.info("%d rows: %s", count, reason)
        write_table(smk.output.rows, "rows", rows)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
