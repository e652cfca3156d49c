"""Fold batch normalization into the convolution before it: the same function, half the memory.

In evaluation mode both are affine, so that a single convolution does the work of the two.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from swag.features import trial_picture

Node = Any
"""An operation of autograd's graph."""


@dataclass(frozen=True)
class ConvAndNorm:
    """A convolution and the normalization that reads it, with the node of the map between them."""

    convolution: str
    normalization: str
    node: Node


def fold(module: nn.Module) -> nn.Module:
    """Fold each batch normalization into the convolution before it, in place; exact.

    Only if autograd's graph of a trial pass shows that nothing else reads the convolution.
    The normalization becomes the identity (or the activation that it contained, in timm), so
    that its name still gives its activations; the convolution is marked `folded_into` it, as
    its own activations can no longer be read.
    """
    module.eval()
    for pair in _foldable_pairs(module):
        conv = module.get_submodule(pair.convolution)
        norm = module.get_submodule(pair.normalization)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        fused = fuse_conv_bn_eval(conv, norm)
        fused.requires_grad_(False)
        fused.folded_into = pair.normalization  # type: ignore[assignment]
        module.set_submodule(pair.convolution, fused)
        module.set_submodule(pair.normalization, getattr(norm, "act", None) or nn.Identity())
    return module


class _Recorder:
    """Records in a pass which normalization reads the output of which convolution."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.pairs: list[ConvAndNorm] = []
        self._convolution_of: dict[Node, str] = {}

    def after_convolution(
        self, name: str, _module: nn.Module, _inputs: Any, output: Tensor
    ) -> None:
        self.runs[name] += 1
        self._convolution_of[output.grad_fn] = name

    def before_normalization(
        self, name: str, _module: nn.Module, inputs: tuple[Tensor, ...]
    ) -> None:
        self.runs[name] += 1
        node = inputs[0].grad_fn  # another one if anything wrote into the map
        if node in self._convolution_of:
            self.pairs.append(ConvAndNorm(self._convolution_of[node], name, node))


def _foldable_pairs(module: nn.Module) -> list[ConvAndNorm]:
    """The pairs that can be folded, by a trial pass on a small picture."""
    picture = trial_picture(module).requires_grad_()
    log = _Recorder()
    handles = [
        child.register_forward_hook(partial(log.after_convolution, name))
        for name, child in module.named_modules()
        if is_plain_convolution(child)
    ]
    handles += [
        child.register_forward_pre_hook(partial(log.before_normalization, name))
        for name, child in module.named_modules()
        if _is_normalization(child)
    ]
    try:
        with torch.enable_grad():
            readers = _readers(module(picture.clone()))  # a network may write into its input
    finally:
        for handle in handles:
            handle.remove()
    return [
        pair
        for pair in log.pairs
        if readers[pair.node] == log.runs[pair.convolution] == log.runs[pair.normalization] == 1
    ]


def is_plain_convolution(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether this is a plain convolution: subclasses and hooks may change weights in a pass."""
    return type(module) is nn.Conv2d and not module._forward_pre_hooks


def _is_normalization(module: nn.Module) -> bool:
    is_batch_norm = type(module) is nn.BatchNorm2d or type(module).__name__ == "BatchNormAct2d"
    return is_batch_norm and getattr(module, "running_mean", None) is not None


def _readers(output: Any) -> Counter[Node]:
    """How many operations read the result of each node, in the graph of the network's output."""
    counts: Counter[Node] = Counter()
    pending = [tensor.grad_fn for tensor in _tensors(output)]
    counts.update(pending)
    while pending:
        node = pending.pop()
        for source, _ in node.next_functions if node is not None else ():
            if source not in counts:
                pending.append(source)
            counts[source] += 1
    return counts


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        yield from _tensors(tuple(output.values()))
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)
