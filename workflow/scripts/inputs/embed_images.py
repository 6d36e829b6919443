"""Rule embed_images: an img2dataset archive -> CLIP embeddings of its table's rows, as clip-retrieval writes them."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from verbatim.inputs.archives import find_archives, key_ranges
from verbatim.inputs.embedding import embed_members
from verbatim.inputs.rows import outcome_problems, read_metadata
from verbatim.io.missing import check_missing, kind_of_reason
from verbatim.io.seals import write_array
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, script


def main(smk: Any) -> None:
    with script(smk) as log:
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        metadata = read_metadata(smk.input.metadata)
        archives, members = find_archives(metadata["key"], key_ranges([smk.input.archive], most=1))
        embeddings, missing = embed_members(
            archives.tolist(),
            members.tolist(),
            lambda images: clip.embed_images(images, smk.params.batch),
            (clip.size, clip.dim, smk.params.batch),
        )
        # what the source itself could not download is no surprise
        promised = outcome_problems(metadata["outcome"], metadata["error"]) == ""
        reasons = Counter(reason for row, reason in missing.items() if promised[row])
        log.info(
            "%d of %d rows without an image, %d of them of images that the table has",
            len(missing), len(metadata), reasons.total(),
        )  # fmt: skip
        for reason, count in Counter(map(kind_of_reason, reasons)).most_common(10):
            log.info("%d rows: %s", count, reason)
        check_missing(
            reasons, int(promised.sum()), smk.params.most_missing,
            f"images that {smk.input.metadata} lists",
            f"Look whether {smk.input.archive} was written with that table, and is whole",
        )  # fmt: skip
        write_array(smk.output.embeddings, embeddings.astype(np.float16))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
