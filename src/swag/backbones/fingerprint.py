"""The identity of a network: one hash of all its weights."""

import hashlib

import torch

from swag.backbones.backbone import Backbone
from swag.errors import WeightsError


def fingerprint(network: Backbone) -> str:
    """SHA-256 of a network's tensors, their names, types and shapes, and the layers that are read.

    The weights of these layers are part of it unless all are 1.
    """
    layers: tuple[object, ...] = (network.style_layers, network.content_layers)
    style, content = network.style_layer_weights, network.content_layer_weights
    if set(style.values()) - {1.0}:
        layers = (*layers, tuple(style.values()))
    if set(content.values()) - {1.0}:
        layers = (*layers, "content", tuple(content.values()))
    return _hash_tensors(network, hashlib.sha256(repr(layers).encode()))


def weights_fingerprint(network: Backbone) -> str:
    """SHA-256 of a network's tensors, whatever layers are read."""
    return _hash_tensors(network, hashlib.sha256())


def _hash_tensors(network: Backbone, digest: "hashlib._Hash") -> str:
    for tensors in (network.module.state_dict(), dict(network.normalize.named_buffers())):
        for name in sorted(tensors):
            tensor = tensors[name].detach().cpu().contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_finite(network: Backbone) -> None:
    """Raise WeightsError if a weight is not finite."""
    for name, tensor in network.module.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            count = int((~tensor.isfinite()).sum())
            raise WeightsError(
                f"the weights of {network.name} ({network.weights}) have {count} values in {name} "
                "that are not finite; use a file that is whole"
            )
