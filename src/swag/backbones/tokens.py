"""Vision transformers as maps: any size of picture in, an image-shaped tensor per layer out."""

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from swag.features import Arrange
from swag.types import FeatureMap

PATCHES = (2, 4, 7, 8, 14, 16, 28, 32, 56, 64)
"""Sides in pixels of the patches that tokens may stand for."""

PREFIXES = (0, 1, 2, 5)
"""Possible numbers of tokens before those of patches: class, distillation, registers."""


def tokens_to_maps(patch: int, prefix: int) -> Arrange:
    """Lay tokens out as rows and columns, without the first `prefix` (class and register tokens).

    Outputs of another shape (maps of the patch embedding) are returned unchanged.
    """
    return partial(_tokens_as_maps, patch=patch, prefix=prefix)


def _tokens_as_maps(output: Tensor, size: tuple[int, int], *, patch: int, prefix: int) -> Tensor:
    rows, columns = size[0] // patch, size[1] // patch
    if output.ndim != 3 or output.shape[1] not in (rows * columns, prefix + rows * columns):
        return output
    tokens = output[:, output.shape[1] - rows * columns :]  # b m d
    return _as_grid(tokens, (rows, columns))


def guess_maps(output: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps from tokens of patches of any size or outputs with channels last; others unchanged.

    For networks of which nothing is known. Tokens of patches are taken in reading order, after
    those of the class and registers.
    """
    if output.ndim == 4:
        rows, columns = size
        channels_first = output.shape[2] * columns == output.shape[3] * rows
        return output if channels_first else channels_last_to_maps(output, size)
    if output.ndim != 3:
        return output
    for patch in PATCHES:
        grid = size[0] // patch, size[1] // patch
        if output.shape[1] - grid[0] * grid[1] in PREFIXES and min(grid) > 1:
            return _as_grid(output[:, output.shape[1] - grid[0] * grid[1] :], grid)
    return output


def channels_last_to_maps(output: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps from an output with channels last, as in Swin; other outputs unchanged.

    The layout is read from the proportions of the picture, which must be a multiple of the stride.
    """
    if output.ndim != 4 or output.shape[1] * size[1] != output.shape[2] * size[0]:
        return output
    return output.permute(0, 3, 1, 2)


def resize_positions(
    embedding: Float[Tensor, "1 n d"], grid: tuple[int, int]
) -> Float[Tensor, "1 m d"]:
    """Position embedding of a class token and a square grid, interpolated to another grid.

    Bicubic with antialiasing, as in timm; Dosovitskiy et al. 2021 say only "2D interpolation".
    """
    side = round((embedding.shape[1] - 1) ** 0.5)
    if grid == (side, side):
        return embedding
    maps = _as_grid(embedding[:, 1:], (side, side))
    resized = F.interpolate(maps, grid, mode="bicubic", antialias=True)
    return torch.cat([embedding[:, :1], resized.flatten(2).mT], dim=1)


class AnySizeTransformer(nn.Module):
    """torchvision's VisionTransformer without its head, for pictures of any size.

    torchvision's own accepts only the size it was trained on. Its modules keep their
    names; the sides of the picture must be multiples of the patch.
    """

    def __init__(self, vit: nn.Module) -> None:
        super().__init__()
        self.conv_proj = vit.conv_proj
        self.class_token = vit.class_token
        self.encoder = vit.encoder

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d rows columns"]:
        """Map normalized pictures to the tokens of the last block, normalized, as maps."""
        patches: Tensor = self.conv_proj(image)  # type: ignore[operator]
        grid = (patches.shape[-2], patches.shape[-1])
        class_token = self.class_token.expand(len(image), -1, -1)  # type: ignore[operator]
        tokens = torch.cat([class_token, patches.flatten(2).mT], dim=1)
        encoder: nn.Module = self.encoder  # type: ignore[assignment]
        tokens = tokens + resize_positions(encoder.pos_embedding, grid)  # type: ignore[arg-type]
        tokens = encoder.ln(encoder.layers(encoder.dropout(tokens)))  # type: ignore[operator]
        return _as_grid(tokens[:, 1:], grid)


def _as_grid(tokens: Float[Tensor, "b m d"], grid: tuple[int, int]) -> FeatureMap:
    return tokens.mT.reshape(tokens.shape[0], tokens.shape[2], *grid)
