"""Rule check_clip: a few images and captions of the source, embedded again -> how well its embeddings are met, or an error."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.inputs.archives import read_ranges
from verbatim.inputs.clip_check import (
    check_agreement,
    check_dimension,
    compare_captions,
    compare_images,
)
from verbatim.io.records import read_manifest
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p, folder = smk.params, str(Path(smk.input.clip).parent)
        manifest, ranges = read_manifest(smk.input.manifest), read_ranges(smk.input.archives)
        clip, source = ClipEmbedder(folder, device()), manifest["embeddings"].iloc[0]
        check_dimension(clip, int(manifest["dim"].iloc[0]), folder, source)
        lines = ["kind\tcompared\tmedian_cosine"]
        for found in (
            compare_images(clip, manifest, ranges, p.images, p.batch),
            compare_captions(clip, manifest, p.images, p.batch),
        ):
            n = len(found.cosines)
            median = np.median(found.cosines) if n else np.nan
            log.info("%d %ss compared, median cosine %.4f", n, found.kind, median)
            check_agreement(found, p.least, folder, source)
            lines.append(f"{found.kind}\t{n}\t{median:.6f}")
        if all(line.split("\t")[1] == "0" for line in lines[1:]):
            log.warning(
                "no image in an archive and no text_emb: it cannot be seen whether %s made these embeddings", folder
            )  # fmt: skip
        write_text(smk.output.agreement, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
