"""Draw generations without and with the guard, each beside the training image that is nearest to it."""

from typing import Any

from verbatim.evidence.contact_sheet import draw_sheet
from verbatim.guard.guard_sheet import list_panels, sample_generations
from verbatim.io.atomic import new_file
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, encode_png
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.io.training_images import TrainingImages
from verbatim.labels.checking import find_training_rows, squares_of
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log, TrainingImages() as archives:
        p = smk.params
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        outcomes = read_table(smk.input.outcomes, "guard_outcomes")
        checks = read_table(smk.input.checks, "guard_checks")
        chosen = sample_generations(outcomes, p.shown, p.seed)
        rows = find_training_rows(smk.input.rows, checks["source_row"].unique())
        squares = squares_of(rows, archives, p.size)
        with ImageArchive(smk.input.images) as made:
            again = {
                name: Images(path) for name, path in zip(p.defences, smk.input.guarded, strict=True)
            }
            panels = list_panels(chosen, checks, {"none": made, **again}, squares, privacy)
            sheet = draw_sheet(panels, p.size, 1 + len(p.defences))
            for images in again.values():
                images.close()
        with new_file(smk.output.sheet) as temporary:
            temporary.write_bytes(encode_png(sheet))
        log.info("%d generations: without the guard, then behind %s", len(chosen), list(p.defences))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
