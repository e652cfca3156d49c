"""The tasks, a function each.

    result = stylize("photo.jpg", "painting.jpg", size=512)
    for update in iterate("photo.jpg", "painting.jpg"): show(update.image)

Every function takes a `Settings` object, single settings as keywords, or both; keywords win.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from torch import nn

from swag import backbones, config
from swag.config import STYLED_STARTS, CommonSettings, Settings
from swag.errors import SettingsError
from swag.fallbacks import Fallbacks
from swag.image import Source
from swag.modes import check_default_precision, own_modes, with_own_modes
from swag.run.checkpoint import Checkpoint, load_checkpoint
from swag.run.device import device_of
from swag.run.inputs import Inputs, at_own_size, read_inputs
from swag.run.precision import precision_of
from swag.run.provenance import Recorded, Task, recorded
from swag.run.recolor import recolored
from swag.run.run import Run
from swag.run.runner import stylize_scales
from swag.run.terms import layers_read
from swag.run.update import Result, Update

NO_STEP = "the run made no step; give more steps or another start"

Callback = Callable[[Update], object]


class RunKeywords(CommonSettings, TypedDict, total=False):
    """Keywords of a run: every setting, and these.

    Attributes:
        preset: a bundle of settings; see `swag presets`.
        method: a style loss with settings tuned for it; see `swag methods`.
        backbone: a name; a network from `swag.backbones.create`, which is used as it is; or any
            module, which is copied. SWAG finds the module's layers unless the settings name them.
        initial: a picture to begin with, instead of `start`, stretched to the size of the result.
        content_mask: the regions of the content, paired with those of the styles by color or shade
            of gray (see `swag.regions`).
        style_mask: the regions of each style.
        content_map: how much the content counts: fully where this picture is white, not at all
            where it is black.
        max_pixels: the largest number of pixels that a picture may have; see `swag.image.read`.
        resume: a checkpoint (`Update.save_checkpoint`). The run continues with its settings, and
            yields the saved update first. The pictures must be the same.
        like: a picture made by SWAG. The run takes its settings, and must have the same inputs and
            weights.
    """

    preset: str
    method: str | None
    backbone: str | nn.Module | None
    initial: Source | None
    content_mask: Source | None
    style_mask: Source | Sequence[Source] | None
    content_map: Source | None
    max_pixels: int | None
    resume: str | os.PathLike[str] | Checkpoint | None
    like: str | os.PathLike[str] | Recorded | None


def stylize(
    content: Source,
    style: Source | Sequence[Source],
    settings: Settings | None = None,
    *,
    callback: Callback | None = None,
    **options: Unpack[RunKeywords],
) -> Result:
    """Give a picture the style of others.

    Args:
        content: the photo: a path, a Pillow picture, an array or a tensor.
        style: the style picture, or several, which are blended.
        settings: from `swag.settings`; keywords win over them.
        callback: called with the `Update` after each step.
        options: every setting, and the other keywords of `RunKeywords`.

    Raises:
        SwagError: see `iterate`.
    """
    return finish(iterate(content, style, settings, **options), callback)


def texture(
    style: Source | Sequence[Source],
    settings: Settings | None = None,
    *,
    callback: Callback | None = None,
    **options: Unpack[RunKeywords],
) -> Result:
    """Make a texture from noise: the style alone (Gatys et al., NIPS 2015).

    Arguments and errors are those of `stylize`.
    """
    return finish(iterate(None, style, settings, task="texture", **options), callback)


def reconstruct(
    content: Source,
    settings: Settings | None = None,
    *,
    callback: Callback | None = None,
    **options: Unpack[RunKeywords],
) -> Result:
    """Make a picture from noise with the content of a photo (Mahendran and Vedaldi, CVPR 2015).

    The picture shows what the layers keep. Arguments and errors are those of `stylize`.
    """
    return finish(iterate(content, None, settings, task="reconstruct", **options), callback)


def finish(updates: Iterator[Update], callback: Callback | None = None) -> Result:
    """Run to the end. The result holds the last picture and a trace with an entry for each step."""
    trace = []
    last = None
    for last in updates:
        trace.append(last.trace_entry)
        if callback is not None:
            callback(last)
    if last is None:
        raise SettingsError(NO_STEP)
    return last.result(trace)


@own_modes()
def iterate(
    content: Source | None,
    style: Source | Sequence[Source] | None,
    settings: Settings | None = None,
    *,
    task: Task = "stylize",
    **options: Unpack[RunKeywords],
) -> Iterator[Update]:
    """Yield an `Update` after each step.

    Arguments are those of `stylize`; the task decides which pictures are needed. `iterate` checks
    all arguments before it returns. The run ends when the caller takes no more updates.

    Raises:
        SwagError: a setting, a picture, a backbone or its weights is wrong; a checkpoint is
            damaged or of another run.
    """
    run, checkpoint = prepare(task, content, style, settings=settings, options=options)
    return with_own_modes(stylize_scales(run, checkpoint))


def prepare(
    task: Task,
    content: Source | None,
    style: Source | Sequence[Source] | None,
    settings: Settings | None,
    options: RunKeywords,
) -> tuple[Run, Checkpoint | None]:
    """Read and check all that a run needs; return it with the checkpoint that it continues from."""
    check_default_precision()
    pictures, changes = _split_keywords(options)
    backbone = changes.pop("backbone", None)
    if backbone is not None:
        changes["backbone"] = backbones.name_of(backbone)
    checkpoint = pictures.pop("resume", None)
    checkpoint = (
        load_checkpoint(checkpoint) if isinstance(checkpoint, str | os.PathLike) else checkpoint
    )
    like = pictures.pop("like", None)
    like = recorded(like) if isinstance(like, str | os.PathLike) else like
    earlier: Checkpoint | Recorded | None = checkpoint or like
    has_start = "start" in changes
    changes = _changed_settings(settings, changes)
    if earlier is None and not has_start:
        changes |= _default_start(task, changes, pictures)
    chosen = config.settings(**(changes if earlier is None else earlier.settings_with(changes)))
    chosen = at_own_size(chosen, content, style, pictures.get("max_pixels"))
    inputs = read_inputs(chosen, task, content, style, **pictures)
    _check_jitter(chosen)
    if earlier is not None:
        earlier.check_same(task, chosen, inputs.hashes)
    network = backbone if isinstance(backbone, nn.Module) else None
    run = _run(chosen, task, inputs, network=network, earlier=earlier)
    run.check()
    if earlier is not None:
        earlier.check_weights(run.provenance.weights)
    if checkpoint is not None:
        run.check_checkpoint(checkpoint)
    return run, checkpoint


_EXTRAS = ("initial", "content_mask", "style_mask", "content_map", "max_pixels", "resume", "like")
"""Keywords of a run that are not settings."""


def _split_keywords(options: RunKeywords) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keywords that are not settings, and the settings. SettingsError for other names."""
    changes = config.one_spelling(options)
    config.check_known(changes, [*_EXTRAS, *Settings.model_fields])
    pictures = {name: value for name, value in changes.items() if name in _EXTRAS}
    return pictures, {name: value for name, value in changes.items() if name not in _EXTRAS}


def _default_start(
    task: Task, changes: Mapping[str, Any], pictures: Mapping[str, Any]
) -> dict[str, str]:
    """The start of a run for which none was chosen; empty if the preset's suits the run.

    Presets begin with the photo, in its own colors or those of the style, or painted in one pass.
    Where a content map is bright, the photo should stay, and so should its colors.
    """
    start = changes.get("start")
    if task != "stylize" and start != "style":
        return {"start": "noise"}
    from_photo = pictures.get("initial") is not None and start in (None, *STYLED_STARTS)
    if pictures.get("content_map") is not None:
        from_photo = from_photo or config.settings(**changes).start == "style-colors"
    return {"start": "content"} if from_photo else {}


def _changed_settings(settings: Settings | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `changes`, by name; settings that nobody has set are left out."""
    if settings is None:
        return dict(changes)
    if "preset" in changes:
        raise SettingsError("settings and a preset were given; expected one of them")
    return config.settings(settings, **changes).model_dump(exclude_unset=True)


def _run(
    chosen: Settings,
    task: Task,
    inputs: Inputs,
    *,
    network: nn.Module | None,
    earlier: Checkpoint | Recorded | None,
) -> Run:
    """The run of these inputs on its device; it continues or repeats `earlier`, if given."""
    photo = inputs.photo
    inputs, finish = recolored(chosen, inputs)
    device = device_of(chosen.device)
    if not isinstance(network, backbones.Backbone):
        network = _network(chosen, inputs, network)
        if not chosen.backbone.startswith(("swag/", "torchvision/")):
            backbones.check_gradient(network, layers_read(chosen, network))
    backbones.check_finite(network)
    network.to(device)
    fallbacks = Fallbacks(earlier.header.fallbacks if isinstance(earlier, Checkpoint) else ())
    earlier_precision = None if earlier is None else earlier.precision
    return Run(
        settings=chosen,
        task=task,
        network=network,
        inputs=inputs,
        device=device,
        finish=finish,
        photo=photo,
        fallbacks=fallbacks,
        precision=precision_of(chosen, device, fallbacks, was=earlier_precision),
    )


def _check_jitter(chosen: Settings) -> None:
    if (chosen.jitter or chosen.jitter_scale) and chosen.optimizer != "adam":
        raise SettingsError(
            f"jitter makes the loss random, which {chosen.optimizer} cannot follow; "
            "use optimizer = adam, or no jitter"
        )


def _network(chosen: Settings, inputs: Inputs, module: nn.Module | None) -> backbones.Backbone:
    """The network of these settings: made of the module if there is one, else by its name."""
    return backbones.create(
        chosen.backbone if module is None else module,
        weights=chosen.weights,
        seed=chosen.seed,
        edits=chosen.edits,
        calibrate_on=inputs.calibration_images(chosen.weights),
        style_layers=None if module is None else chosen.style_layers,
        content_layers=None if module is None else chosen.content_layers,
    )
