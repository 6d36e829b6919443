"""A stand-in for a CLIP whose embedding of an image is its mean colour: neighbours are known without a network."""

import numpy as np


class ColourEmbedder:
    size, dim = 4, 3

    def __init__(self, folder, device):
        assert (folder / "open_clip_config.json").exists()

    def embed_images(self, images, batch):
        assert images.shape[1:] == (4, 4, 3)
        assert len(images) <= batch
        mean = images.mean(axis=(1, 2)) + 1e-3
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
