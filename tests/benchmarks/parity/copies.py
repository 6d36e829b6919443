"""Cliques, similarities, split products and descriptors' preprocessing, beside graph, tensor and model libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch
from PIL import Image
from scipy.spatial.distance import cdist

from verbatim.metrics.intervals import percentile_interval
from verbatim.metrics.similarity import (
    PERCENTILES,
    background,
    nearest,
    nearest_split,
    split_product,
)
from verbatim.models.descriptor_preprocessing import HALF, IMAGENET, PRESETS, prepare
from verbatim.models.descriptors import cut
from verbatim.postfilter.cliques import clique_distance, search_clique
from verbatim.postfilter.tiles import pair_distances

from .comparison import Comparison, Measured, largest, relative
from .photographs import crops, photographs

GRAPHS, CHUNKS = 30, 16


def drawn_distances(number: int) -> tuple[np.ndarray, float]:
    """Distances (n, n) of one prompt's generations, and the edge below which two are near-copies."""
    rng = np.random.default_rng([7, number])
    n, share = int(rng.integers(30, 81)), rng.uniform(0.3, 0.65)
    distances = np.triu(rng.random((n, n)), 1)
    if number % 2:  # a planted group of copies
        some = rng.permutation(n)[: rng.integers(5, 15)]
        distances[np.ix_(some, some)] *= share
    return np.triu(distances, 1) + np.triu(distances, 1).T, float(share)


def measure_cliques(folder: Path) -> Measured:
    """Sizes that differ, and cliques of ours that networkx does not list among the largest."""
    worst, ties = 0, 0
    for number in range(GRAPHS):
        distances, edge = drawn_distances(number)
        near = distances < edge
        ours = search_clique(near)
        graph = nx.from_numpy_array(near & ~np.eye(len(near), dtype=bool))
        every = [frozenset(clique) for clique in nx.find_cliques(graph)]
        most = max(map(len, every))
        best = {clique for clique in every if len(clique) == most}
        ties += len(best)
        wrong = abs(len(ours.members) - most) + (frozenset(ours.members.tolist()) not in best)
        worst = max(worst, wrong)
    return Measured(GRAPHS, worst, f"{ties:,} largest cliques, of which ours is one in each graph")


def measure_inside(folder: Path) -> Measured:
    ours, theirs = [], []
    for number in range(GRAPHS):
        distances, edge = drawn_distances(number)
        members = search_clique(distances < edge).members
        inside = nx.from_numpy_array(distances).subgraph(members.tolist())
        theirs.append(np.mean([weight for *_, weight in inside.edges.data("weight")]))
        ours.append(clique_distance(distances, members))
    return Measured(GRAPHS, relative(ours, theirs))


def measure_tiles(folder: Path) -> Measured:
    images, tiles = crops(40, 128, 20), 4
    side = images.shape[1] // tiles
    worst = np.zeros((len(images),) * 2)
    for top in range(0, 128, side):
        for left in range(0, 128, side):
            tile = images[:, top : top + side, left : left + side].reshape(len(images), -1) / 255
            np.maximum(worst, cdist(tile, tile) / np.sqrt(tile.shape[1]), out=worst)
    return Measured(len(images) ** 2, largest(pair_distances(images, tiles), worst))


def units(n: int, dim: int, seed: int) -> np.ndarray:
    """Unit vectors, float32, of which half lie near ten centres."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(10, dim))
    vectors = rng.normal(size=(n, dim))
    vectors[::2] += 2 * centres[rng.integers(0, 10, len(vectors[::2]))]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def measure_dataset(folder: Path) -> Measured:
    """somepago/DCR's similarities and percentiles, and the training set's second best as the background."""
    made, training = units(500, 512, 1), units(2000, 512, 2)
    ours, theirs = [], []
    pairs = (
        (nearest(made, training)[0][:, 0], torch.from_numpy(made @ training.T).topk(1, dim=1)[0]),
        (background(training), torch.from_numpy(training @ training.T).topk(2, dim=1)[0]),
    )
    for similarity, top in pairs:
        of_rows = top[:, -1].numpy()
        ours += [
            similarity,
            [percentile_interval(similarity, p, 9, 0.95, 0).value for p in PERCENTILES],
        ]
        theirs += [of_rows, np.percentile(of_rows, PERCENTILES)]
    return Measured(
        sum(map(len, theirs)),
        largest(np.concatenate(ours), np.concatenate(theirs)),
        "values and percentiles",
    )


def measure_split(folder: Path) -> Measured:
    """somepago/DCR: the whole vector has unit length, chunks of it are multiplied, the largest product counts."""
    made, training = (cut(units(n, 512, seed), CHUNKS) for n, seed in ((200, 3), (700, 4)))
    a, b = (torch.from_numpy(vectors) for vectors in (made, training))
    own = torch.einsum("ncp,mcp->nmc", a, b).amax(2)
    product, place = nearest_split(made, training)
    matched = training[place]
    all_chunks = torch.stack(
        [(x @ y.T).max() for x, y in zip(a, torch.from_numpy(matched), strict=True)]
    )
    ours = np.concatenate(
        [product, split_product(made, matched), split_product(made, matched, cross=True)]
    )
    best, _ = own.max(1)
    found = own[torch.arange(len(own)), torch.from_numpy(place)]
    return Measured(len(ours), largest(ours, torch.cat([best, found, all_chunks])))


def images_of_sizes() -> list[np.ndarray]:
    """Images of sizes that are rounded in every way, uint8."""
    sizes = ((64, 64), (50, 81), (301, 300), (224, 224), (257, 513), (640, 427))
    return [
        np.asarray(Image.fromarray(photographs()[i % 3]).resize((width, height)))
        for i, (height, width) in enumerate(sizes)
    ]


def official(name: str) -> Callable[[Image.Image], Any]:
    """A preset as its model's own code has it."""
    from torchvision import transforms as t

    if name == "clip_224":
        import open_clip

        return open_clip.image_transform(224, is_train=False)
    if name == "dino_224":
        from timm.data import create_transform

        return create_transform(
            input_size=224,
            interpolation="bicubic",
            crop_pct=0.875,
            mean=IMAGENET[0],
            std=IMAGENET[1],
        )
    steps, (mean, std) = {
        "sscd_288": ([t.Resize(288)], IMAGENET),
        "sscd_320": ([t.Resize([320, 320])], IMAGENET),
        "somepalli_224": ([t.Resize(256), t.CenterCrop(224)], HALF),
    }[name]
    return t.Compose([*steps, t.ToTensor(), t.Normalize(mean, std)])


def measure_preset(name: str) -> Callable[[Path], Measured]:
    def measure(folder: Path) -> Measured:
        transform, images = official(name), images_of_sizes()
        worst = max(
            largest(prepare(image, PRESETS[name]), transform(Image.fromarray(image)).numpy())
            for image in images
        )
        return Measured(len(images), worst)

    return measure


def measure_processor(folder: Path) -> Measured:
    """transformers' CLIP processor, by Pillow as CLIP's own code; its cut is floored where CLIP's code rounds it."""
    from transformers import CLIPImageProcessorPil

    processor, worst, pairs = CLIPImageProcessorPil(), 0.0, 0
    for image in images_of_sizes():
        short = min(image.shape[:2])
        if any((int(224 * side / short) - 224) % 2 for side in image.shape[:2]):
            continue
        theirs = processor(Image.fromarray(image), return_tensors="np")["pixel_values"][0]
        worst = max(worst, largest(prepare(image, PRESETS["clip_224"]), theirs))
        pairs += 1
    return Measured(
        pairs, worst, "sizes whose margin is even: transformers cuts odd ones a pixel elsewhere"
    )


BESIDE = {
    "sscd_288": "torchvision's transforms, as SSCD's README has them",
    "sscd_320": "torchvision's transforms, as SSCD's README has them",
    "dino_224": "timm.data.create_transform",
    "clip_224": "open_clip.image_transform",
    "somepalli_224": "torchvision's transforms, as somepago/DCR has them",
}
COMPARISONS = [
    Comparison(
        "largest clique", "postfilter.cliques.search_clique", "networkx.find_cliques", 0, "graphs that differ",
        measure_cliques,
    ),
    Comparison(
        "distance inside a clique", "postfilter.cliques.clique_distance", "networkx, weights of the subgraph", 1e-12,
        "relative", measure_inside,
    ),
    Comparison(
        "distance by tiles", "postfilter.tiles.pair_distances", "scipy.spatial.distance.cdist of each tile", 1e-12,
        "absolute", measure_tiles,
    ),
    Comparison(
        "dataset similarity, background", "metrics.similarity.nearest, background", "somepago/DCR's formula, by torch.topk",
        1e-6, "absolute", measure_dataset,
    ),
    Comparison(
        "split product", "metrics.similarity.split_product, nearest_split", "somepago/DCR's formula, by torch.einsum",
        1e-6, "absolute", measure_split,
    ),
    *(
        Comparison(f"preprocessing {name}", "models.descriptor_preprocessing.prepare", BESIDE[name], 2e-6, "absolute",
                   measure_preset(name))
        for name in PRESETS
    ),
    Comparison(
        "preprocessing clip_224", "models.descriptor_preprocessing.prepare", "transformers.CLIPImageProcessorPil", 2e-6,
        "absolute", measure_processor,
    ),
]  # fmt: skip
