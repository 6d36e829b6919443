"""Rule check_inputs: what is there -> manifest.tsv and archives.tsv, or an error that names the files."""

from typing import Any

from verbatim.inputs.archives import format_ranges, key_ranges
from verbatim.inputs.layouts import list_archives, match_files
from verbatim.inputs.manifest import build_manifest, format_manifest
from verbatim.inputs.rows import check_keys
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        folder = smk.params.images
        archives = list_archives(folder)
        files = match_files(smk.input.embeddings, smk.input.metadata)
        if files.by_position:
            log.warning(
                "%s, ...: no metadata_N.parquet, so row i of all embeddings is taken for row i of all %d tables; "
                "make sure that both are in one order",
                files.metadata[0], len(files.metadata),
            )  # fmt: skip
        if not files.embeddings:
            log.warning("no embeddings: captions and urls can be used, nothing can be searched")
        manifest = build_manifest(files, folder if archives else "")
        log.info("%d shards, %d rows", len(manifest), manifest["rows"].sum())
        if not archives:
            log.warning("no archive like 00000.tar in %s: all images will be missing", folder)
        ranges = key_ranges(archives, smk.params.most_missing)
        check_keys(files.metadata, ranges, smk.params.most_missing)
        write_text(smk.output.archives, format_ranges(ranges))
        write_text(smk.output.manifest, format_manifest(manifest))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
