"""The command that a refused pickle is answered with: weights alone come out, and nothing of the file is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from verbatim.models.checkpoint import find_checkpoint
from verbatim.models.hub import ModelFolderError

TOP = Path(__file__).resolve().parents[2]


def command_of(file):
    with pytest.raises(ModelFolderError) as refused:
        find_checkpoint({"family": "sd", "source": str(file)})
    found = re.search(r"convert it: \S+python (.*)$", str(refused.value))
    return [sys.executable, *found[1].split()]


def run(command):
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=120)


def test_the_printed_command_writes_the_weights(tmp_path):
    weights = {"model.diffusion_model.out.2.weight": torch.randn(4, 3).t()}
    torch.save({"state_dict": weights, "epoch": 3, "global_step": 5}, tmp_path / "model.ckpt")
    done = run(command_of(tmp_path / "model.ckpt"))
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    again = run(command_of(tmp_path / "model.ckpt"))
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


class Touch:
    """What a hostile pickle holds: a call that a plain reader makes."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_pickle_that_calls_something_is_refused_and_not_run(tmp_path):
    torch.save(
        {"state_dict": {"a": torch.zeros(1)}, "x": Touch(tmp_path / "ran")}, tmp_path / "bad.ckpt"
    )
    done = run(command_of(tmp_path / "bad.ckpt"))
    assert done.returncode == 1
    assert "cannot be read as weights alone" in done.stderr
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "bad.safetensors").exists()
