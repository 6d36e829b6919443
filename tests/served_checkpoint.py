"""workflow/tools/serve_checkpoint.py for tests: a checkpoint behind stable-diffusion-webui's API."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

TOOL = Path(__file__).resolve().parents[1] / "workflow/tools/serve_checkpoint.py"


def load_tool() -> ModuleType:
    """The tool as a module, without its command line."""
    spec = importlib.util.spec_from_file_location("serve_checkpoint", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
