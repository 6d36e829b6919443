"""Draw one scene of every OpenMoji drawing that has a name, which the study trains on, and others for pretraining."""

from typing import Any

from verbatim.io.records import write_table
from verbatim.io.seals import write_array
from verbatim.runtime import script
from verbatim.world.drawings import list_drawings, render_drawings
from verbatim.world.scenes import draw_named_scenes


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = list_drawings(skin_tones=True)
        drawings = render_drawings(list(table.code))
        scenes = draw_named_scenes(drawings, p.size, p.seed, 1 + p.pretraining)
        log.info("%d drawings, %d scenes of %d pixels", len(table), 1 + p.pretraining, p.size)
        write_array(smk.output.images, scenes[0])
        write_array(smk.output.pretraining, scenes[1:].reshape(-1, *scenes.shape[2:]))
        write_table(smk.output.table, "images", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
