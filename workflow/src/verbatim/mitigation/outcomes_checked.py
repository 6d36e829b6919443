"""What came of generations behind defences: distance to training images, CLIP score, and distance of distributions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import numpy as np
import pandas as pd

from verbatim.config.defence_kinds import OTHER_SEEDS, PROMPT
from verbatim.io.images import ImageError, resize
from verbatim.metrics.rmse import as_floats, pair_rmse, rmse


class Readable(Protocol):
    """An archive of images by name."""

    def read(self, name: str) -> np.ndarray: ...


class Embedder(Protocol):
    """What embeds images and captions alike, in unit vectors."""

    def embed_images(self, images: np.ndarray, batch: int = ...) -> np.ndarray: ...

    def embed_texts(self, captions: list[str], batch: int = ...) -> np.ndarray: ...


class Judge:
    """Compares generations with their prompt's own image, with all training images, and with their prompt.

    Parameters
    ----------
    prompts : a `mitigated` table. own : images by `image_id`, (n, s, s, 3) uint8. training : (t, s, s, 3), uint8 or in [0, 1].
    clip : embeds images and captions.
    """

    def __init__(
        self, prompts: pd.DataFrame, own: np.ndarray, training: np.ndarray, clip: Embedder
    ):
        self.prompts = prompts.drop_duplicates("prompt_id").set_index("prompt_id")
        self.own, self.training, self.clip = own, as_floats(training), clip
        self.size = own.shape[1]

    def check(
        self, made: pd.DataFrame, archive: Readable, batch: int
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Lines of `mitigation_checks` without `defence`, and the images' embeddings (n, d); NaN of an image that is missing.

        made : a `mitigation_attacked` table; the caption of the prompt that was given counts, whatever the model received.
        """
        told = self.prompts.loc[made["prompt_id"]]
        texts = self.clip.embed_texts(told["caption"].tolist(), batch)
        own = np.full(len(made), np.nan)
        nearest, vectors = own.copy(), np.full(texts.shape, np.nan, np.float64)
        numbers = made["generation"].tolist()
        for start in range(0, len(made), batch):
            places, images = [], []
            for place in range(start, min(start + batch, len(made))):
                try:
                    image = archive.read(f"{numbers[place]}.png")
                except (KeyError, ImageError):
                    continue
                images.append(resize(image, self.size, self.size))
                places.append(place)
            if not images:
                continue
            stack = np.stack(images)
            theirs = self.own[told["image_id"].to_numpy()[places]]
            own[places] = pair_rmse(stack, as_floats(theirs))
            nearest[places] = rmse(stack, self.training).min(1)
            vectors[places] = self.clip.embed_images(stack, batch)
        checks = made[["attack", "prompt_id", "seed"]].assign(
            own=own, nearest=nearest, clip_score=(vectors * texts).sum(1)
        )
        return checks, vectors


def frechet_to_none(
    checks: pd.DataFrame, vectors: Mapping[str, np.ndarray], general: Collection[int]
) -> pd.DataFrame:
    """Frechet distance of each defence's generations of general prompts to those without a defence: a `mitigation_quality` table.

    The generations without a defence are compared with those of other seeds: what chance alone makes of it.

    Parameters
    ----------
    checks : a `mitigation_checks` table, defence after defence. vectors : defence -> embeddings of its lines, (n, d).
    """
    from verbatim.similarity.quality import frechet_distance

    def of(defence: str, attack: str) -> np.ndarray:
        mine = checks[checks["defence"].eq(defence)]
        chosen = (
            mine["attack"].eq(attack) & mine["prompt_id"].isin(general) & mine["nearest"].notna()
        )
        return vectors[defence][chosen.to_numpy()]

    plain = of("none", PROMPT)
    lines = []
    for defence in vectors:
        some = of(defence, OTHER_SEEDS if defence == "none" else PROMPT)
        distance = float(np.maximum(frechet_distance(plain, some), 0.0))  # 0 but for rounding
        lines.append((defence, len(some), distance))
    return pd.DataFrame(lines, columns=["defence", "n_frechet", "frechet"])
