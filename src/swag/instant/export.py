"""A painter as an ONNX file, for programs without torch: a photo in, a picture out.

    export_onnx(read_style("wave.safetensors").network, "wave.onnx")
    export_onnx(PaintedIn(bundled(), [bundled().describe(painting)]), "painting.onnx")

Input `photo` and output `picture` are (1, 3, height, width) of any size, float32, sRGB in [0, 1].
Weights that half precision holds exactly, as all that are shipped, are stored in it.
"""

import logging
import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from swag.errors import check_installed
from swag.files import write_atomically
from swag.instant.painter import (
    GIVEN_BACK_BELOW,
    Painter,
    Style,
    transport_share,
    unchanged_features,
)
from swag.instant.transport import FLAT, RIDGE, Gaussian
from swag.types import FeatureMap, GramMatrix, Image, StrPath

ITERATIONS = 32
"""Steps of Newton and Schulz: enough for products of covariances whose variances differ by a factor
of 1e10; `RIDGE` keeps them closer."""

NEEDED = ("onnx", "onnxscript")

FEWEST = 64
"""Least size of a tensor that is stored in half precision: smaller ones gain nothing by it."""


class PaintedIn(nn.Module):
    """The painter of all paintings with the statistics of one, as a network of the photo alone.

    Roots of matrices, which ONNX lacks, come from the iteration of Newton and Schulz in float64
    (Higham, "Functions of Matrices", 2008, section 6.7).
    """

    def __init__(self, painter: Painter, style: Style, *, strength: float = 0.5) -> None:
        super().__init__()
        self.network, self.strength = painter.network, strength
        for i, stage in enumerate(style.stages):
            values, vectors = torch.linalg.eigh(stage.covariance.double())
            self.register_buffer(f"values{i}", values.clamp(min=0))
            self.register_buffer(f"vectors{i}", vectors)
            self.register_buffer(f"mean{i}", stage.mean.double())

    def forward(self, photo: Image) -> Image:
        """The photo (1, 3, h, w) in the style of the painting."""
        picture: Tensor = self.network(photo, self._transported)
        if self.strength < GIVEN_BACK_BELOW:
            residual = photo - self.network(photo, unchanged_features)
            picture = picture + (1 - self.strength / GIVEN_BACK_BELOW) * residual
        return picture

    def _transported(self, i: int, features: FeatureMap) -> FeatureMap:
        """The transported features of a stage (see `transport`)."""
        values, vectors, mean = (
            getattr(self, f"{name}{i}") for name in ("values", "vectors", "mean")
        )
        photo = Gaussian.of(features)
        c = photo.covariance.double()
        identity = torch.eye(c.shape[1], dtype=torch.float64)
        variance = (c * identity).sum((1, 2)) / c.shape[1]
        ridge = RIDGE * (variance + values.mean(1)) / 2 + FLAT
        root = (vectors * (values + ridge[:, None]).sqrt()[:, None, :]) @ vectors.mT
        matrix = root @ inverse_root(root @ (c + ridge[:, None, None] * identity) @ root) @ root
        offset = mean - (matrix @ photo.mean.double()[:, :, None])[:, :, 0]
        share = transport_share(self.strength)
        matrix = (identity + share * (matrix - identity)).float()
        moved: Tensor = torch.einsum("bij,bjhw->bihw", matrix, features)
        moved += (share * offset).float()[:, :, None, None]
        return moved


def inverse_root(matrices: GramMatrix) -> GramMatrix:
    """The inverse of the root of symmetric positive definite matrices, by products alone."""
    norm = matrices.square().sum((1, 2), keepdim=True).sqrt()
    identity = torch.eye(matrices.shape[1], dtype=matrices.dtype)
    y, z = matrices / norm, identity.expand(matrices.shape)
    for _ in range(ITERATIONS):
        t = 1.5 * identity - 0.5 * (z @ y)
        y, z = y @ t, t @ z
    return z / norm.sqrt()


def export_onnx(network: nn.Module, path: StrPath) -> None:
    """Write a network of a photo as ONNX, whole or not at all.

    Raises:
        DependencyError: the extra `onnx` is not installed.
    """
    check_installed(*NEEDED, user="writing an ONNX file", extra="onnx")
    import onnx
    import onnxscript  # noqa: F401 - torch's exporter is written in it

    sides = {2: torch.export.Dim("height", min=16), 3: torch.export.Dim("width", min=16)}
    example: Float[Tensor, "1 3 h w"] = torch.zeros(1, 3, 112, 144)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's exporter warns of its own code
            program: Any = torch.onnx.export(
                network.eval(),
                (example,),
                dynamo=True,
                input_names=["photo"],
                output_names=["picture"],
                dynamic_shapes=(sides,),
                optimize=False,  # it takes a minute, and programs that run the file do it, too
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    model = program.model_proto
    _remove_traces(model)
    _store_in_half(model, onnx)
    onnx.checker.check_model(model)
    write_atomically(path, lambda file: file.write(model.SerializeToString()))


def _remove_traces(model: Any) -> None:
    """Remove from each operation its place in the source, which names folders of the machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    del graph.value_info[:]


def _store_in_half(model: Any, onnx: Any) -> None:
    """Store weights that half precision holds exactly in it, and cast them when they are read.

    The weights as read are the same to the bit.
    """
    casts = []
    for tensor in model.graph.initializer:
        numbers = onnx.numpy_helper.to_array(tensor)
        half = numbers.astype(np.float16) if numbers.dtype == np.float32 else None
        if half is None or half.size < FEWEST or not np.array_equal(half, numbers):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, name + "_half"))
        casts.append(
            onnx.helper.make_node("Cast", [name + "_half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
