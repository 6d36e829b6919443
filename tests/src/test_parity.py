"""Every score against a naive version, for every family and preset, in one place.

             sd epsilon   sd v_prediction   if      tolerance
DCS          reference, paper               all     1e-4 relative (float32 networks)
Wen, cosine  no presets                     all     1e-4 relative, 1e-4 absolute
ECS          reference, paper, world        all     2 pixels (a gradient may lie on the threshold)
one step     as ECS                         all     1e-4 alone; in a batch a grey level or `rounding`
distances    MV, RV, TV under a mask        all     1e-6 absolute
labels       paper, reference, carlini      all     the same label
clique       carlini, world                 all     1e-12 absolute; the same size

Naive: one caption, one seed, one image at a time, the bare network called as diffusers calls it,
sums in Python's floats, sets and loops. No function of ours computes an expected value; Pillow
resamples and scipy.ndimage.sobel finds edges, as in Webster's reference. Presets are the default's.
"""

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy import ndimage

from tiny_models import CAPTIONS, with_prediction
from verbatim.blackbox import ecs
from verbatim.io.images import to_uint8
from verbatim.labels.fetched_images import Squares
from verbatim.labels.label import LabelSettings, label_generations
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.metrics.edges import EdgePreset
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.postfilter import filtering
from verbatim.whitebox.dcs import score_captions
from verbatim.whitebox.merge import PRESETS as DCS_PRESETS

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config/config.yaml").read_text("utf-8"))
ECS_PRESETS, CLIQUES, THRESHOLDS = (
    CONFIG[stage]["presets"] for stage in ("blackbox", "postfilter", "labels")
)
GUIDANCE = CONFIG["whitebox"]["guidance"]
SEEDS = [0, 1, 2, 3]
PROMPTS = CAPTIONS[:3]


@pytest.fixture(
    scope="module", params=[("sd", "epsilon"), ("sd", "v_prediction"), ("if", "epsilon")], ids=" ".join
)  # fmt: skip
def model(request, tiny_sd, tiny_if, tmp_path_factory):
    """A small model of each family with random weights, in diffusers' own classes."""
    family, prediction = request.param
    folder = {"sd": tiny_sd, "if": tiny_if}[family]
    folder = with_prediction(folder, tmp_path_factory.mktemp("parity"), prediction)
    return load_denoiser(folder, family, "cpu")


def naive_eps(d, caption, seed):
    """What the bare network says at the last timestep of noise alone, as eps; and that noise."""
    noise = torch.randn((1, *d.shape), generator=torch.Generator().manual_seed(seed))
    sigma = d.sigma_max
    x = noise * sigma / math.sqrt(sigma**2 + 1)
    kind = "max_length"
    text = caption.lower().strip() if not hasattr(d, "vae") else caption
    ids = d.tokenizer(
        text, padding=kind, max_length=d.tokens, truncation=True, return_tensors="pt"
    )  # fmt: skip
    mask = None if hasattr(d, "vae") else ids.attention_mask
    with torch.no_grad():
        states = d.text_encoder(ids.input_ids, attention_mask=mask).last_hidden_state
        out = d.unet(x, 999, encoder_hidden_states=states).sample[:, : d.shape[0]]
    if d.prediction_type == "v_prediction":  # Salimans & Ho 2022, appendix D
        alpha, spread = 1 / math.sqrt(sigma**2 + 1), sigma / math.sqrt(sigma**2 + 1)
        out = alpha * out + spread * x
    return out[0], noise[0]


def naive_dcs(d, caption, seed):
    """Webster 2023, eq. 1, in both readings, and two scores of the same forward; sums in a loop."""
    (c, _), (u, _) = naive_eps(d, caption, seed), naive_eps(d, "", seed)
    guided = conditional = change = dot = length = 0.0
    values = list(zip(c.flatten().tolist(), u.flatten().tolist(), strict=True))
    for of_c, of_u in values:
        guided += (of_u + GUIDANCE * (of_c - of_u)) ** 2
        conditional += of_c**2
        change += (of_c - of_u) ** 2
        dot += of_u * (of_c - of_u)
        length += of_u**2
    return {
        "dcs_reference": d.sigma_max**2 * guided / len(values),
        "dcs_paper": d.sigma_max**2 * conditional,
        "wen_first_step": math.sqrt(change),
        "guidance_cosine": dot / math.sqrt(change * length),
    }


@pytest.fixture(scope="module")
def scored(model):
    found = {}
    for start, seed, scores in score_captions(model, PROMPTS, SEEDS[:2], GUIDANCE, batch=2):
        for name, values in scores.items():
            for i, value in enumerate(values):
                found[PROMPTS[start + i], seed, name] = float(value)
    return found


@pytest.fixture(scope="module")
def expected_scores(model):
    return {(p, s): naive_dcs(model, p, s) for p in PROMPTS for s in SEEDS[:2]}


@pytest.mark.parametrize("score", [*DCS_PRESETS.values(), "wen_first_step", "guidance_cosine"])
def test_the_white_box_scores(scored, expected_scores, score):
    for (prompt, seed), scores in expected_scores.items():
        assert scored[prompt, seed, score] == pytest.approx(scores[score], rel=1e-4, abs=1e-4)


def naive_one_step(d, caption, seed, guidance):
    """Gen(c, r, T=1): x0 from noise alone, guided, by the family's own way to an image."""
    (c, noise), (u, _) = naive_eps(d, caption, seed), naive_eps(d, "", seed)
    x0 = d.sigma_max * (noise - (u + guidance * (c - u)))
    if hasattr(d, "vae"):
        with torch.no_grad():
            x0 = d.vae.decode(x0[None] / d.vae.config.scaling_factor).sample[0]
    else:  # Saharia et al. 2022: dynamic thresholding
        s = np.clip(
            np.quantile(np.abs(x0.numpy()), d.thresholding.ratio), 1.0, d.thresholding.bound
        )
        x0 = x0.clamp(-s, s) / s
    return (x0.permute(1, 2, 0).double().numpy() / 2 + 0.5).clip(0, 1)


def naive_ecs(images, preset):
    """Webster 2023, eq. 3: one image, one pixel at a time."""
    size, votes = preset["size"], np.zeros((preset["size"],) * 2)
    for image in images:
        planes = [
            np.asarray(
                Image.fromarray(image[..., c].astype(np.float32)).resize(
                    (size, size), Image.Resampling.LANCZOS
                )
            )
            if image.shape[0] != size
            else image[..., c]
            for c in range(3)
        ]
        array = np.stack(planes, axis=2).clip(0, 1).astype(np.float64)
        if preset["sobel"] == "nd":
            gradient = np.hypot(ndimage.sobel(array, 0), ndimage.sobel(array, 1)).sum(axis=2)
        else:
            gradient = sum(
                np.hypot(ndimage.sobel(array[..., c], 0), ndimage.sobel(array[..., c], 1))
                for c in range(3)
            )
        votes += gradient > preset["threshold"]
    agreed = 0
    for row in votes.tolist():
        for count in row:
            agreed += count / len(images) > preset["agreement"]
    return agreed / size**2


def contrasted(image):
    """A random network draws without edges; thirty times the contrast has some for every preset."""
    return ((image - image.mean()) * 30 + 0.5).clip(0, 1)


def rounding(d, guidance):
    """What the last two bits of noise, u and c near 1 can make of an image in float32.

    x0 = sigma * (noise - (u + guidance * (c - u))) has 1 + 2 * guidance terms, and an image is half of
    it. IF's schedule ends at a sigma of 20291, where this is more than a grey level.
    """
    return d.sigma_max * (1 + 2 * guidance) * np.finfo(np.float32).epsneg


@pytest.mark.slow
@pytest.mark.parametrize("preset", ECS_PRESETS)
def test_a_generation_of_one_step(model, preset):
    guidance = ECS_PRESETS[preset]["guidance"]
    bounds = {1: 1e-4, 2: max(1 / 255, rounding(model, guidance))}  # kernels round by the batch
    naive = {(i, s): naive_one_step(model, p, s, guidance) for i, p in enumerate(PROMPTS) for s in SEEDS}  # fmt: skip
    for batch, bound in bounds.items():
        made = generate_one_step(model, PROMPTS, SEEDS, guidance, batch=batch)
        made = {(i, seed): image for i, seed, image in made}
        assert made.keys() == naive.keys()
        for key, image in made.items():
            np.testing.assert_allclose(image, naive[key], atol=bound, err_msg=str((batch, key)))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ECS_PRESETS)
def test_the_edge_consistency_score(model, preset):
    rules = {name: EdgePreset(**values) for name, values in ECS_PRESETS.items()}
    values = ECS_PRESETS[preset]
    images = {prompt: [] for prompt in PROMPTS}
    for i, _, image in generate_one_step(model, PROMPTS, SEEDS, values["guidance"], batch=2):
        images[PROMPTS[i]].append(contrasted(image))
    shares = []
    for prompt in PROMPTS:
        found = ecs.score_images(images[prompt], {preset: rules[preset]}, preset)["ecs"]
        expected = naive_ecs(images[prompt], values)
        assert found == pytest.approx(expected, abs=2 / values["size"] ** 2)
        shares.append(expected)
    assert max(shares) > 0, "a score of nothing agrees with any other"


@pytest.fixture(scope="module")
def generations(model):
    """Six full generations of a prompt by each family, as an archive holds them: (6, h, w, 3) uint8."""
    made = generate(model, PROMPTS[:1], range(6), Sampling(2, 3.0), 4)
    return np.stack([to_uint8(image) for _, _, image in made])


def nearer(image, other, share):
    return np.rint(image * (1.0 - share) + other * share).astype(np.uint8)


def naive_distance(a, b, tiles):
    """Carlini et al. 2023, section 4: the worst tile's l2, a value at a time."""
    height, width = a.shape[:2]
    worst = 0.0
    for i in range(tiles):
        for j in range(tiles):
            total = count = 0
            for y in range(height * i // tiles, height * (i + 1) // tiles):
                for x in range(width * j // tiles, width * (j + 1) // tiles):
                    for of_a, of_b in zip(a[y, x].tolist(), b[y, x].tolist(), strict=True):
                        total += (of_a - of_b) ** 2
                        count += 1
            worst = max(worst, math.sqrt(total / count) / 255)
    return worst


@pytest.mark.parametrize("preset", CLIQUES)
def test_carlinis_clique(generations, preset):
    rule = filtering.Preset(**CLIQUES[preset])
    # two groups of near copies of unlike tightness beside the generations themselves
    stack = np.stack(
        [
            *generations[:3],
            *(nearer(generations[3], generations[4], share) for share in (0, 0.02, 0.05, 0.3, 0.5)),
            *(nearer(generations[5], generations[4], share) for share in (0, 0.04, 0.6)),
        ]
    )
    n = len(stack)
    between = {(i, j): naive_distance(stack[i], stack[j], rule.tiles) for i, j in combinations(range(n), 2)}  # fmt: skip
    cliques = [
        group
        for size in range(n, 0, -1)
        for group in combinations(range(n), size)
        if all(between[pair] < rule.edge for pair in combinations(group, 2))
    ]
    largest = len(cliques[0])
    means = [
        sum(between[pair] for pair in combinations(group, 2)) / math.comb(largest, 2)
        for group in cliques
        if len(group) == largest > 1
    ]
    (found,) = filtering.filter_captions(
        ["a"], lambda _, seeds: (stack[None, list(seeds)], len(seeds)), rule,
        filtering.Rounds(n, 4, stop_early=False),
    )  # fmt: skip
    assert found.scores["clique_size"] == largest
    assert found.scores["kept"] == (largest >= rule.clique)
    assert found.scores["mean_distance"] == pytest.approx(
        sum(between.values()) / len(between), abs=1e-12
    )
    if means:
        near = min(abs(found.scores["clique_distance"] - mean) for mean in means)
        assert near < 1e-12


MASK = MaskSettings(**CONFIG["labels"]["mask"] | {"partners": 9, "sources": 9})
GUARDS = GuardSettings(**CONFIG["labels"]["guards"])


def naive_rmse(a, b, where=None):
    """RMSE of two images, over the pixels of a mask if there is one; a value at a time."""
    total = count = 0
    for y, x in np.ndindex(a.shape[:2]):
        if where is None or where[y][x]:
            for of_a, of_b in zip(a[y, x].tolist(), b[y, x].tolist(), strict=True):
                total += (of_a - of_b) ** 2
                count += 1
    return math.sqrt(total / count) if count else math.nan


def naive_mask(a, b):
    """Where the channels' differences sum to less than `difference`, a pixel at a time (no morphology)."""
    return [
        [sum(abs(p - q) for p, q in zip(a[y, x].tolist(), b[y, x].tolist(), strict=True)) < MASK.difference
         for x in range(a.shape[1])]
        for y in range(a.shape[0])
    ]  # fmt: skip


def naive_distances(generations, training):
    """Least distance of each kind: MV over own images, RV over others, TV under every fitting mask."""
    images, own = training.images, training.own
    plain = [[naive_rmse(g, t) for t in images] for g in generations]
    template = math.inf
    for i, j in np.ndindex(len(images), len(images)):
        if i == j or not MASK.low < naive_rmse(images[i], images[j]) < MASK.high:
            continue
        mask = naive_mask(images[i], images[j])
        if sum(map(sum, mask)) / len(mask) ** 2 >= MASK.min_area:
            template = min(template, *(naive_rmse(g, images[i], mask) for g in generations))
    return {
        "MV": min(d for row in plain for d, mine in zip(row, own, strict=True) if mine),
        "RV": min(d for row in plain for d, mine in zip(row, own, strict=True) if not mine),
        "TV": template,
    }


def framed(image, inside):
    """An image whose middle is another's: what a template and its members differ in."""
    out = image.copy()
    side = len(out)
    out[side // 3 : -side // 3, side // 3 : -side // 3] += inside
    return out.clip(0, 1)


@pytest.mark.parametrize("preset", THRESHOLDS)
@pytest.mark.parametrize("case", ["exact", "retrieved", "template", "none"])
def test_distances_and_the_label(generations, preset, case):
    base = generations.astype(np.float32) / 255
    made = base[:2]
    own, other = base[2] * 0.3, base[3] * 0.3 + 0.7
    if case == "exact":
        own = (made[0] + 0.115).clip(0, 1)  # near the thresholds, so that presets differ
    if case == "retrieved":
        other = (made[1] + 0.118).clip(0, 1)
    images = [own, other, base[4] * 0.2]
    if case == "template":
        images += [framed(made[0], 0.45), framed(made[0], 0.6)]
    training = Squares(
        np.arange(len(images)), ["whole"] * len(images),
        np.array([True] + [False] * (len(images) - 1)), np.stack(images).astype(np.float32),
    )  # fmt: skip
    limits = {kind.upper(): value for kind, value in THRESHOLDS[preset].items()}
    order = CONFIG["labels"]["order"]
    settings = LabelSettings(preset, limits, order, MASK, GUARDS)
    record, _ = label_generations(made, [0, 1], training, settings)
    expected = naive_distances(made.astype(np.float64), training)
    label = next((kind for kind in order if expected[kind] <= limits[kind]), "N")
    assert record["label"] == label
    for kind, distance in expected.items():
        found = record[f"distance_{kind.lower()}"]
        assert (math.isnan(found) and math.isinf(distance)) or found == pytest.approx(distance, abs=1e-6)  # fmt: skip
