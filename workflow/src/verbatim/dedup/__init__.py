"""Duplicates in the training set: an index, neighbour pairs, clusters, and the most duplicated prompts."""


class DedupError(ValueError):
    """The stage cannot go on; the message names the config key or file and the cure."""
