"""Draw every OpenMoji picture that has a name."""

from typing import Any

import numpy as np

from verbatim.images import to_uint8
from verbatim.io.seals import write_array
from verbatim.records import write_table
from verbatim.runtime import progress, script
from verbatim.world.pictures import list_pictures, render


def main(smk: Any) -> None:
    with script(smk) as log:
        table = list_pictures()
        drawn = progress(render(list(table.code), smk.params.size), "pictures", len(table))
        pictures = np.stack([to_uint8(picture) for picture in drawn])
        log.info("%d pictures of %d pixels", len(pictures), smk.params.size)
        write_array(smk.output.pictures, pictures)
        write_table(smk.output.table, "pictures", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
