"""The painter of the package, trained by `swag train-painter`; its weights are read once."""

import hashlib
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load

from swag.errors import WeightsError
from swag.instant.network import InstantNetwork
from swag.instant.painter import Painter

FILE = Path(__file__).parent / "painter.safetensors"

SHA256 = "4316f32970d7e8cc25de32946995b07a8b8a110386ada9ca4f8c509adf43ce9a"


def painter_from(data: bytes) -> Painter:
    """A painter from the bytes of a `.safetensors` file of its weights, in whatever precision.

    Draws no random numbers.
    """
    with torch.device("meta"):
        network = InstantNetwork()
    state = {name: tensor.float() for name, tensor in load(data).items()}
    network.load_state_dict(state, assign=True)
    return Painter(network.to(memory_format=torch.channels_last))


@cache
def bundled() -> Painter:
    """The painter of the package. WeightsError if its file is not the one that was shipped."""
    data = FILE.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise WeightsError(f"{FILE} is not the file that came with SWAG; install SWAG again")
    return painter_from(data)
