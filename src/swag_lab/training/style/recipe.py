"""How a network of one painting is trained: pure functions of the step."""

from dataclasses import dataclass

from swag_lab.training.one_pass import OnePassRecipe


@dataclass(frozen=True)
class StyleRecipe(OnePassRecipe):
    """How a network of one painting is trained.

    A step paints `batch` of the `crops`, squares of `size` pixels that are drawn from the photos
    and passed once through the loss network. `settings` (JSON), `painting` (SHA-256) and
    `fingerprint` (of the loss network's weights) say what is minimized: a training that resumes
    must have the same.
    """

    steps: int = 1500
    batch: int = 2
    size: int = 176
    crops: int = 400
    peak_rate: float = 2e-3
    warmup: int = 50
    decay: float = 0.99
    settings: str = ""
    painting: str = ""
    fingerprint: str = ""
