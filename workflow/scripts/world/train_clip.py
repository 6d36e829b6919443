"""Train the world's CLIP and save it in open_clip's layout."""

from pathlib import Path
from typing import Any

from verbatim.io.atomic import new_folder
from verbatim.io.records import read_table
from verbatim.io.seals import read_array, seal_folder
from verbatim.runtime import TrainingReport, device, script
from verbatim.world.contrast import save_clip, train_clip
from verbatim.world.plan import list_captions
from verbatim.world.tokenizers import build_clip_tokenizer
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        truth = read_table(smk.input.truth, "truth")
        images = read_array(smk.input.images)
        report = TrainingReport("clip", p.settings["steps"])
        with new_folder(Path(smk.output.config).parent) as folder:
            tokenizer = build_clip_tokenizer(sorted(set(truth["caption"])), folder, p.context)
            model, config = train_clip(
                images, list_captions(truth), tokenizer, p.settings,
                TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report),
            )  # fmt: skip
            save_clip(folder, model, config, folder)
            seal_folder(folder)
        report.write(smk.output.training_log, p.checkpoint)
        log.info("saved %s", smk.output.config)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
