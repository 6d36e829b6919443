"""The images of a run: which captions are asked for, with which noise, and the drawing of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from verbatim.io.images import to_uint8
from verbatim.mitigation.defences import Defended
from verbatim.models.denoiser import NOT_FINITE, check_broken
from verbatim.models.noise import noise_of_seeds
from verbatim.models.sampling import Sampling, sample, to_images

SEEDS_A_RUN = 1_000_000  # between the noises of two study seeds


def plan_images(
    rows: pd.DataFrame, n: int, more: int, others: int, seed: int, unconditional: bool
) -> pd.DataFrame:
    """The images of a run: a `mitigation_generations` table without `prompt` and `size`.

    Noises are the same for every defence of a point, so that runs can be compared image by image.

    Parameters
    ----------
    rows : a `sweep_rows` table.
    n : captions that one image each is drawn for (kind `one`): a random sample of the members, duplicated
        images at the share that they have among these.
    more : further images (kind `more`) of each duplicated caption, and of each of the first `others` members that
        are not duplicated.
    seed : the study seed.
    unconditional : then there are as many images of either kind, of no caption.
    """
    members = rows[rows["member"]].reset_index(drop=True)
    planted = members[members["planted"]]
    rest = members[~members["planted"]]
    again = pd.concat([planted, rest.head(others)])
    n = min(n, len(members))
    if unconditional:
        chosen = members.iloc[:0].reindex(range(n + more * len(again)))
        chosen = chosen.assign(image_id=-1, caption="", planted=False, member=False, kind="more")
        chosen.loc[: n - 1, "kind"] = "one"
    else:
        rng = np.random.default_rng([seed, 8])
        share = round(n * len(planted) / len(members))
        first = pd.concat(
            [
                of.iloc[np.sort(rng.permutation(len(of))[:k])]
                for of, k in ((planted, share), (rest, n - share))
            ]
        )
        further = again.loc[again.index.repeat(more)]
        chosen = pd.concat([first.assign(kind="one"), further.assign(kind="more")])
    places = np.arange(len(chosen))
    return pd.DataFrame(
        {
            "generation": places,
            "image_id": chosen["image_id"].to_numpy(),
            "caption": chosen["caption"].to_numpy(),
            "gen_seed": seed * SEEDS_A_RUN + places,
            "planted": chosen["planted"].to_numpy(dtype=bool),
            "member": chosen["member"].to_numpy(dtype=bool),
            "kind": chosen["kind"].to_numpy(),
        }
    )


def draw_images(
    denoiser: Defended, prompts: Sequence[str], seeds: Sequence[int], how: Sampling, batch: int
) -> Iterator[np.ndarray]:
    """One image (h, w, 3) in [0, 1] of each prompt with its seed, `batch` at a time; NaN where it is not finite.

    prompts : with their words changed already; the code of each is defended here. "" is drawn without guidance.
    """
    for start in range(0, len(prompts), batch):
        stop = start + batch
        part, chosen = prompts[start:stop], seeds[start:stop]
        cond = denoiser.encode_prompts(part, chosen)
        bare = not any(part)
        noise = noise_of_seeds(chosen, denoiser.shape)
        empty = None if bare else denoiser.encode_empty(chosen)
        told = replace(how, guidance=1.0) if bare else how
        x0 = sample(denoiser.denoiser, cond, empty, noise, told)
        yield from to_images(denoiser.denoiser, x0)


def name_images(
    images: Iterable[np.ndarray], total: int, dtype: object, missing: list[int]
) -> Iterator[tuple[str, np.ndarray | str]]:
    """The images of a run as members of its archive: bytes by number, or why one is missing.

    Parameters
    ----------
    total : images of the run. dtype : of the network, for the message.
    missing : gets the numbers of those that are not finite.

    Raises
    ------
    NetworkError : too many are (`denoiser.check_broken`).
    """
    for number, image in enumerate(images):
        if np.isfinite(image).all():
            yield f"{number}.png", to_uint8(image)
        else:
            missing.append(number)
            check_broken(len(missing), total, dtype, "generations")
            yield f"{number}.png", NOT_FINITE
