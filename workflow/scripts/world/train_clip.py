"""Train the world's CLIP and save it in open_clip's layout."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.records import read_table
from verbatim.runtime import TrainingReport, device, script
from verbatim.world.contrast import save_clip, train_clip
from verbatim.world.plan import list_captions
from verbatim.world.tokenizers import build_clip_tokenizer


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        truth = read_table(smk.input.truth, "truth")
        images = np.load(smk.input.images, allow_pickle=False)
        folder = Path(smk.output.config).parent
        tokenizer = build_clip_tokenizer(sorted(set(truth["caption"])), folder, p.context)
        report = TrainingReport("clip", p.settings["steps"])
        model, config = train_clip(
            images, list_captions(truth), tokenizer, p.settings, p.seed,
            device(), Path(p.checkpoint), p.checkpoint_every, report,
        )  # fmt: skip
        save_clip(folder, model, config, folder)
        report.write(smk.output.training_log, p.checkpoint)
        log.info("saved %s", folder)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
