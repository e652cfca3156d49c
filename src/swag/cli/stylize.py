"""swag stylize CONTENT STYLE..."""

from swag.cli import options


def stylize(  # noqa: PLR0913 - the arguments of a command are its options
    content: options.Content,
    style: options.Styles,
    output: options.Out = None,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    smoothing: options.Smoothing = None,
    size: options.Size = None,
    steps: options.Steps = None,
    strength: options.Strength = None,
    preset: options.Preset = None,
    config: options.Config = None,
    seed: options.Seed = None,
    device: options.Device = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Give a photo the style of a picture.

    Interrupted with Ctrl-C, it keeps the picture it has.
    """
    from swag.cli.running import Output, perform

    chosen = options.overrides(
        config,
        preset=preset,
        backbone=backbone,
        weights=weights,
        smoothing=smoothing,
        size=size,
        steps=steps,
        strength=strength,
        seed=seed,
        device=device,
    )
    path = output or options.named_for([content, *style])
    perform("stylize", content, style, chosen, Output(path, overwrite, quiet, json))
