"""How a painter is trained: pure functions of the step."""

from dataclasses import dataclass

from swag_lab.training.one_pass import OnePassRecipe


@dataclass(frozen=True)
class PainterRecipe(OnePassRecipe):
    """How a painter is trained.

    A step paints `batch` photos, each in the style of another painting, as crops of `size` pixels
    drawn from `photos` and `paintings` crops that are described once. One painting in
    `photo_styles` is a photo, so that a style is not always paint. Half of the strengths are 0.5,
    the others uniform from `weakest` to 1; the content weighs at least `least_content`. `balance`
    is the ratio of style to content at strength 0.5: five times that of an optimization, as one
    pass fills in from the photo what it cannot paint. `reconstruction` weighs the error of a
    painting that is reconstructed without transport.
    """

    steps: int = 2600
    batch: int = 4
    size: int = 160
    photos: int = 800
    paintings: int = 600
    photo_styles: int = 7
    weakest: float = 0.1
    least_content: float = 0.2
    balance: float = 5.0
    reconstruction: float = 10.0
    peak_rate: float = 1e-3
    warmup: int = 100
    decay: float = 0.999
    backbone: str = ""
    fingerprint: str = ""
