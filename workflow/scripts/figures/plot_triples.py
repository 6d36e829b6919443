"""Generated picture, training picture and mask of a few copies of every model."""

from verbatim.figures.style import save_figure
from verbatim.figures.triples import LABELS, Triple, choose_examples, plot_triples
from verbatim.images import ImageArchive, row_name, synthesis_name
from verbatim.pictures import Pictures
from verbatim.records import read_table
from verbatim.runtime import script


def read_triples(labels, images, training, masks, one_step, seed):
    """One model's chosen examples with their pictures; `one_step` is None where there are none."""
    found = {label: [] for label in LABELS}
    for row in labels.itertuples():
        quick = synthesis_name(row.prompt_id, seed)
        found[row.label].append(
            Triple(
                row.caption,
                row.distance,
                images.read(synthesis_name(row.prompt_id, row.seed)),
                training.read(row_name(row.source_row)),
                masks.read(row.mask_file)[:, :, 0] > 0.5 if row.label == "TV" else None,
                one_step.read(quick) if one_step is not None and quick in one_step else None,
            )
        )
    return found


def main(smk):
    with script(smk):
        one_steps = dict(zip(smk.params.attacked, smk.input.one_step, strict=True))
        models = {}
        for i, (model, name) in enumerate(smk.params.names.items()):
            chosen = choose_examples(read_table(smk.input.labels[i], "labels"), smk.params.examples)
            archives = [
                ImageArchive(smk.input.get(part)[i]) for part in ("images", "training", "masks")
            ]
            quick = Pictures(one_steps[model]) if model in one_steps else None
            models[name] = read_triples(chosen, *archives, quick, smk.params.seed)
        save_figure(plot_triples(models), smk.output.png, smk.output.pdf, smk.params.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
