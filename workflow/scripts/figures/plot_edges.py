"""What ECS sees of prompts that were often trained on and of others, under each preset."""

from typing import Any

from verbatim.figures.edge_agreement import Judged, plot_edge_agreement
from verbatim.figures.strip import choose_columns, column_titles
from verbatim.figures.style import empty_figure, save_figure
from verbatim.io.image_store import Images
from verbatim.io.images import one_step_name
from verbatim.io.privacy import read_privacy
from verbatim.io.spreadsheets import read_csv
from verbatim.metrics.edges import EdgePreset
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        if not p.model:
            save_figure(empty_figure("no model of this run was attacked"), smk.output.png, p.dpi)
            return
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        presets = {name: EdgePreset(**values) for name, values in p.presets.items()}
        main_guidance = presets[p.preset].guidance
        prompts = read_csv(smk.input.prompts, keep_default_na=False, na_values=[""])
        chosen = choose_columns(prompts[prompts["model"] == p.model])
        chosen = chosen[~chosen["count"].duplicated() | chosen["kind"].eq("held_out")]
        drawn = []
        with Images(*smk.input.one_step) as archives:
            for key, title in zip(chosen["prompt_id"], column_titles(chosen), strict=True):
                images = {}
                for name, preset in presets.items():
                    names = [one_step_name(key, s, preset.guidance, main_guidance) for s in p.seeds]
                    if privacy.level_of(key) == "full":  # an edge map is an outline of the image
                        images[name] = [archives.read(one) for one in names if one in archives]
                drawn.append(Judged(title, images))
        save_figure(plot_edge_agreement(drawn, presets), smk.output.png, p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
