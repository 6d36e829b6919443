"""Rule check_digests: the files of one shard -> the sha256 of all their bytes, as sha256sum writes it."""

from typing import Any

from verbatim.inputs.layouts import JOIN
from verbatim.inputs.manifest import full_digest
from verbatim.io.records import read_manifest
from verbatim.runtime import progress, script, write_text


def main(smk: Any) -> None:
    with script(smk):
        shard = read_manifest(smk.input.manifest).set_index("shard").loc[smk.wildcards.shard]
        files = [path for path in (shard["embeddings"], *shard["metadata"].split(JOIN)) if path]
        lines = [f"{full_digest(path)}  {path}\n" for path in progress(files, "files")]
        write_text(smk.output.digests, "".join(lines))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
