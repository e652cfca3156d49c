"""Minimize a loss over the pixels of a picture, one step at a time.

    for step in optimize(State(picture), loss, Lbfgs(), steps=100):
        show(step.image, step.losses)        # progress bars, previews, stopping: the caller's

    optimize(State(picture), loss, Adam(), steps=300, ema_decay=0.99) # mean of the iterates
    optimize(saved_state, loss, Lbfgs(), steps=100)                   # goes on where it stopped

`loss` maps pictures (b, 3, h, w) to a dictionary of scalars whose sum is minimized. Optimizers
measure progress only relative to the first loss: a small loss by itself does not stop them.
"""

from swag.optimize.adam import Adam
from swag.optimize.lbfgs import Lbfgs
from swag.optimize.loop import State, Step, averaged_image, optimize
from swag.optimize.optimizer import (
    Evaluation,
    LossFn,
    Optimizer,
    SteppedLoss,
    evaluate,
    is_real_number,
    loss_at,
)
from swag.optimize.torch_lbfgs import TorchLbfgs

__all__ = [
    "Adam",
    "Evaluation",
    "Lbfgs",
    "LossFn",
    "Optimizer",
    "State",
    "Step",
    "SteppedLoss",
    "TorchLbfgs",
    "averaged_image",
    "evaluate",
    "is_real_number",
    "loss_at",
    "optimize",
]
