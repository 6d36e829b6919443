"""CLIP embeddings of the training set, as clip-retrieval would write them."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.training_images import TrainingImages, read_own
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, progress, script
from verbatim.world.layout import read_shard_table, write_embeddings


def main(smk: Any) -> None:
    with script(smk):
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        folder = Path(smk.output.images[0]).parents[1]
        pairs = list(zip(smk.input.shards, smk.input.metadata, strict=True))
        with TrainingImages() as reader:
            for i, (tar, table) in enumerate(progress(pairs, "shards")):
                metadata = read_shard_table(table)
                read = [read_own(reader, tar, f"{key}.png") for key in metadata.key]
                images = clip.embed_images(np.stack(read), smk.params.batch)
                texts = clip.embed_texts(list(metadata.caption), smk.params.batch)
                write_embeddings(folder, i, images, texts, metadata)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
