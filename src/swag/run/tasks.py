"""The tasks: what is asked for in one call."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from swag import backbones
from swag.config import Settings, settings
from swag.errors import SettingsError
from swag.fallbacks import Fallbacks
from swag.image import Source
from swag.modes import own_modes, with_own_modes
from swag.run.checkpoint import Checkpoint, load
from swag.run.device import device_of
from swag.run.inputs import Inputs, read_inputs
from swag.run.precision import precision_of
from swag.run.provenance import Recorded, Task, recorded
from swag.run.recolor import recolored
from swag.run.run import Run
from swag.run.runner import stylize_scales
from swag.run.update import Result, Update

NO_STEP = "the run made no step; give more steps or another start"


def stylize(content: Source, style: Source | Sequence[Source], **overrides: Any) -> Result:
    """A picture with the content of one and the style of others; settings as `swag.config`'s.

    Masks and the like as for `iterate`.
    """
    return finish(iterate(content, style, **overrides))


def texture(style: Source | Sequence[Source], **overrides: Any) -> Result:
    """A texture from noise: the style alone (Gatys et al., NIPS 2015)."""
    return finish(iterate(None, style, task="texture", **overrides))


def reconstruct(content: Source, **overrides: Any) -> Result:
    """A content from noise: what of a photo the layers keep (Mahendran and Vedaldi 2015)."""
    return finish(iterate(content, None, task="reconstruct", **overrides))


def finish(updates: Iterator[Update]) -> Result:
    """Run to the end and keep the last picture and a line of numbers for each step."""
    trace = []
    last = None
    for last in updates:
        trace.append(last.trace_entry)
    if last is None:
        raise SettingsError(NO_STEP)
    return last.result(trace)


@own_modes()
def iterate(  # noqa: PLR0913 - all that a run can be given
    content: Source | None,
    style: Source | Sequence[Source] | None,
    *,
    task: Task = "stylize",
    backbone: str | backbones.Backbone | None = None,
    initial: Source | None = None,
    content_mask: Source | None = None,
    style_mask: Source | Sequence[Source] | None = None,
    content_map: Source | None = None,
    resume: str | os.PathLike[str] | Checkpoint | None = None,
    like: str | os.PathLike[str] | Recorded | None = None,
    **overrides: Any,
) -> Iterator[Update]:
    """Yield an `Update` after each step; everything is checked before the first is asked for.

    `backbone` is a name, or a network from `swag.backbones.create`, which is then used as it is.
    `initial` is a picture to begin with, stretched to the size of the result, instead of `start`.
    `content_mask` and `style_mask` pair regions by colour or shades of grey (`swag.regions`);
    where `content_map` is bright, the content counts, where it is black, it does not.
    `resume` is a checkpoint (`Update.save_checkpoint`): the run goes on with its settings, from
    the update that was kept, which comes first; the pictures must be the same. `like` is a
    picture that a run has made: its settings are taken, and its inputs and weights asked for.

    Raises:
        SwagError: a setting, a picture, a backbone or its weights; a checkpoint that is damaged or
            of another run.
    """
    given = backbone if isinstance(backbone, backbones.Backbone) else None
    if backbone is not None:
        overrides["backbone"] = backbone if isinstance(backbone, str) else backbone.name
    checkpoint = load(resume) if isinstance(resume, str | os.PathLike) else resume
    made = recorded(like) if isinstance(like, str | os.PathLike) else like
    earlier = checkpoint or made
    if earlier is not None:
        overrides = earlier.settings_with(overrides)
    chosen = settings(**overrides)
    if task != "stylize" and "start" not in overrides:
        chosen = chosen.model_copy(update={"start": "noise"})
    inputs = read_inputs(
        chosen,
        task,
        content,
        style,
        initial=initial,
        content_mask=content_mask,
        style_mask=style_mask,
        content_map=content_map,
    )
    _check_jitter(chosen)
    if earlier is not None:
        earlier.check_same(task, chosen, inputs.hashes)
    run = _run(chosen, task, inputs, network=given, earlier=earlier)
    run.check()
    if earlier is not None:
        earlier.check_weights(run.provenance.weights)
    if checkpoint is not None:
        run.check_checkpoint(checkpoint)
    return with_own_modes(stylize_scales(run, checkpoint))


def _run(
    chosen: Settings,
    task: Task,
    inputs: Inputs,
    *,
    network: backbones.Backbone | None,
    earlier: Checkpoint | Recorded | None,
) -> Run:
    """The run of these inputs on its device; `earlier` is what it goes on from, or repeats."""
    inputs, finish = recolored(chosen, inputs)
    device = device_of(chosen.device)
    network = _network(chosen, inputs) if network is None else network
    backbones.check_finite(network)
    network.to(device)
    fallbacks = Fallbacks(earlier.header.fallbacks if isinstance(earlier, Checkpoint) else ())
    was = None if earlier is None else earlier.precision
    return Run(
        settings=chosen,
        task=task,
        network=network,
        inputs=inputs,
        device=device,
        finish=finish,
        fallbacks=fallbacks,
        precision=precision_of(chosen, device, fallbacks, was=was),
    )


def _check_jitter(chosen: Settings) -> None:
    if (chosen.jitter or chosen.jitter_scale) and chosen.optimizer != "adam":
        raise SettingsError(
            f"jitter makes the loss random, which {chosen.optimizer} cannot follow; "
            "use optimizer = adam, or no jitter"
        )


def _network(chosen: Settings, inputs: Inputs) -> backbones.Backbone:
    return backbones.create(
        chosen.backbone,
        weights=chosen.weights,
        seed=chosen.seed,
        edits=chosen.edits,
        calibrate_on=inputs.calibration_images(chosen.weights),
    )
