"""Images of what was found: one-step and full generations, templates, near misses, triples."""

from typing import Any

from verbatim.figures.examples import Finds
from verbatim.figures.fig1_generations import plot_generations
from verbatim.figures.near_misses import plot_near_misses
from verbatim.figures.style import save_figure
from verbatim.figures.templates import plot_templates
from verbatim.figures.triples import plot_triples
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        ranked = {
            model: (read_table(scores, "blackbox"), Images(images))
            for model, scores, images in zip(
                p.attacked, smk.input.scores, smk.input.one_step, strict=True
            )
        }
        finds = {}
        for i, (model, name) in enumerate(p.names.items()):
            scores, one_step = ranked.get(model, (None, None))
            finds[name] = Finds(
                read_table(smk.input.labels[i], "labels"),
                ImageArchive(smk.input.images[i]),
                ImageArchive(smk.input.training[i]),
                ImageArchive(smk.input.masks[i]),
                read_table(smk.input.verification[i], "verification"),
                scores=scores,
                one_step=one_step,
                privacy=privacy,
            )
        attacked = {p.names[model]: finds[p.names[model]] for model in p.attacked}
        seeds = {"one_step": p.one_step_seeds, "full": p.full_seeds}
        figures = {
            "fig1": plot_generations(
                {name: one.generations(seeds) for name, one in attacked.items()}, seeds
            ),
            "fig2": plot_templates({name: one.templates() for name, one in finds.items()}),
            "fig5": plot_near_misses(
                {n: one.near_misses(p.near_misses, p.threshold) for n, one in finds.items()},
                p.near_misses,
            ),
            "triples": plot_triples(
                {name: one.triples(p.examples, seeds["one_step"][0]) for name, one in finds.items()}
            ),
        }
        for name, figure in figures.items():
            save_figure(figure, smk.output.get(name), p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
