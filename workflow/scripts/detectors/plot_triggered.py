"""Draw prompts of every method, a generation of each, and the training image nearest to it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from verbatim.detectors.trigger_sheet import choose_shown, list_shown, plot_shown
from verbatim.figures.style import save_figure
from verbatim.io.images import ImageArchive, generation_name
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table, read_tables
from verbatim.io.training_images import TrainingImages, read_own
from verbatim.runtime import script


def reading(archive: ImageArchive) -> Callable[[int, int], np.ndarray]:
    """Reads the generation of a prompt_id and seed."""
    return lambda key, seed: archive.read(generation_name(key, seed))


def main(smk: Any) -> None:
    with script(smk) as log, TrainingImages() as reader:
        p = smk.params
        privacy = read_privacy(p.images, p.only, smk.input.prompts)
        labels = read_table(smk.input.labels, "trigger_labels")
        rows = read_tables(smk.input.rows, "rows")
        where = zip(rows["archive"].astype(str), rows["member"].astype(str), strict=True)
        places = dict(zip(rows["row"], where, strict=True))
        columns = {}
        for method, prompts, images in zip(
            p.methods, smk.input.prompts, smk.input.images, strict=True
        ):
            mine = labels[labels["method"].eq(method)]
            chosen = choose_shown(read_table(prompts, "trigger_prompts"), mine, p.shown)
            with ImageArchive(images) as archive:
                columns[method] = list_shown(
                    chosen, reading(archive), lambda row: read_own(reader, *places[row]), privacy
                )
        save_figure(plot_shown(columns), smk.output.png, p.dpi)
        log.info("%s", {method: len(shown) for method, shown in columns.items()})


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
