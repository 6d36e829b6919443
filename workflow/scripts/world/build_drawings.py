"""Render every OpenMoji drawing that has a name, one of each family."""

from typing import Any

from verbatim.io.records import write_table
from verbatim.io.seals import write_array
from verbatim.runtime import script
from verbatim.world.drawings import list_drawings, render_drawings


def main(smk: Any) -> None:
    with script(smk) as log:
        table = list_drawings()
        drawings = render_drawings(table["code"])
        log.info("%d drawings", len(drawings))
        write_array(smk.output.drawings, drawings)
        write_table(smk.output.table, "images", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
