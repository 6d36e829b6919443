"""Rule embed_pictures: an img2dataset archive -> CLIP embeddings of its table's rows, as clip-retrieval writes them."""

import os
from pathlib import Path

import numpy as np

from verbatim.clip import ClipEmbedder
from verbatim.inputs.archives import find_archives, key_ranges
from verbatim.inputs.embedding import embed_members
from verbatim.inputs.rows import read_metadata
from verbatim.runtime import device, script


def main(smk):
    with script(smk) as log:
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        metadata = read_metadata(smk.input.metadata)
        archives, members = find_archives(metadata["key"], key_ranges([smk.input.archive]))
        embeddings, missing = embed_members(
            archives,
            members,
            lambda pictures: clip.embed_images(pictures, smk.params.batch),
            (clip.size, clip.dim, smk.params.batch),
        )
        for reason, count in missing.most_common(10):
            log.info("%d rows without a picture: %s", count, reason)
        part = f"{smk.output.embeddings}.part"
        with open(part, "wb") as file:
            np.save(file, embeddings.astype(np.float16))
        os.replace(part, smk.output.embeddings)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
