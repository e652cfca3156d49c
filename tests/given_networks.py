"""Networks of one's own, in files that a study is given."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


def written(folder: Path, code: str, name: str) -> str:
    """Write a module's code and the weights of its class; how the command line names them."""
    (folder / "made.py").write_text(code)
    defined: dict[str, type[nn.Module]] = {}
    exec(code, defined)
    torch.manual_seed(0)
    save_file(defined[name]().state_dict(), folder / f"{name}.safetensors")
    return f"{name}={folder}/made.py:{name},{folder}/{name}.safetensors"
