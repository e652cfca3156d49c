"""The type of a parametrization: a pair of functions, with a summary and a reference."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from swag.types import OwnImage, Size

Latents = Float[Tensor, "_b 3 _rows _columns"]
"""The numbers an optimizer moves; their rows and columns need not be those of the picture."""


@dataclass(frozen=True)
class Parametrization:
    """A way to write a picture; `decode(encode(image), size)` is the picture again."""

    name: str
    encode: Callable[[OwnImage], Latents]
    """The latents of a picture."""
    decode: Callable[[Latents, Size], OwnImage]
    """The picture of this size that latents stand for; gradients flow through it."""
    summary: str
    reference: str

    def __str__(self) -> str:
        return self.name

    def resized(
        self, latents: Latents, before: Size, after: Size, resize: Callable[[Tensor, Size], Tensor]
    ) -> Latents:
        """The latents of the picture at another size, which `resize` makes of the picture."""
        return self.encode(resize(self.decode(latents, before), after))
