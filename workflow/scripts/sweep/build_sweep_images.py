"""Render every OpenMoji drawing that has a name on white: what the study trains on."""

from typing import Any

import numpy as np

from verbatim.io.images import to_uint8
from verbatim.io.records import write_table
from verbatim.io.seals import write_array
from verbatim.runtime import progress, script
from verbatim.world.drawings import list_drawings, render_on_white


def main(smk: Any) -> None:
    with script(smk) as log:
        table = list_drawings(skin_tones=True)
        drawn = progress(render_on_white(list(table.code), smk.params.size), "images", len(table))
        images = np.stack([to_uint8(image) for image in drawn])
        log.info("%d images of %d pixels", len(images), smk.params.size)
        write_array(smk.output.images, images)
        write_table(smk.output.table, "images", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
