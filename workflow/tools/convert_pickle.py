"""Turns a checkpoint's pickle (.ckpt, .pt, .bin) into a .safetensors file: `convert_pickle.py FROM TO`.

torch's reader for weights alone opens the pickle: it knows tensors and plain containers, and refuses whatever else a
pickle could name, so nothing of the file is run.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path


def convert(source: Path, target: Path) -> int:
    """Write the tensors of a pickle, of its `state_dict` where it has one; returns how many there are.

    Raises
    ------
    ValueError : the file cannot be read so, holds no tensor, or `target` is there already.
    """
    import torch
    from safetensors.torch import save_file

    if target.exists():
        raise ValueError(f"{target} is there already; delete it, or name another file")
    try:
        data = torch.load(source, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as err:
        line = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise ValueError(
            f"{source} cannot be read as weights alone ({line}); get the model's .safetensors file"
        ) from err
    found = data.get("state_dict", data) if isinstance(data, dict) else {}
    weights = {
        str(key): value.clone().contiguous()
        for key, value in found.items()
        if isinstance(value, torch.Tensor)
    }
    if not weights:
        raise ValueError(f"{source} holds no weights by name; get the model's .safetensors file")
    save_file(weights, target, metadata={"format": "pt"})
    return len(weights)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: convert_pickle.py FROM.ckpt TO.safetensors")
    try:
        count = convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except ValueError as err:
        sys.exit(str(err))
    print(f"{sys.argv[2]}: {count} weights")
