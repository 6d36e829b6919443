"""Train the text encoder of the world's pixel models to give the states of its CLIP, and save it frozen."""

from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTokenizer

from verbatim.io.atomic import new_folder
from verbatim.io.records import read_table
from verbatim.io.seals import seal_folder
from verbatim.runtime import TrainingReport, device, script, write_digest
from verbatim.world.contrast import text_encoder
from verbatim.world.text_distillation import clean, distil_text_encoder, make_text_encoder
from verbatim.world.tokenizers import build_t5_tokenizer
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        folder, clip = Path(smk.output.config).parents[1], Path(smk.input.clip).parent
        captions = sorted(set(read_table(smk.input.truth, "truth")["caption"]))
        with new_folder(folder) as part:
            tokenizer = build_t5_tokenizer(clean(captions), part / "tokenizer", p.context)
            torch.manual_seed(p.seed)
            text = make_text_encoder(tokenizer, p.settings["width"])
            report = TrainingReport("t5", p.settings["steps"])
            run = TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report)
            tower = (text_encoder(clip), CLIPTokenizer.from_pretrained(clip, local_files_only=True))
            distil_text_encoder(text, tokenizer, tower, captions, p.settings, run)
            text.save_pretrained(part / "text_encoder", safe_serialization=True)
            seal_folder(part)
        write_digest(smk.output.weights, folder)
        report.write(smk.output.training_log, p.checkpoint)
        log.info("saved %s", folder)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
