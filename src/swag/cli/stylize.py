"""swag stylize CONTENT STYLE..."""

from swag.cli import controls, options


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
    method: options.Method = None,
    preset: options.Preset = None,
    config: options.Config = None,
    single: options.Set = None,
    seed: options.Seed = None,
    device: options.Device = None,
    tile: options.Tile = None,
    precision: options.Precision = None,
    resume: options.Resume = None,
    checkpoint_every: options.Every = options.SECONDS,
    no_metadata: options.NoMetadata = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
    style_loss: controls.StyleLoss = None,
    content_loss: controls.ContentLoss = None,
    blend: controls.Blend = None,
    style_scale: controls.StyleScale = None,
    style_rotations: controls.Rotations = False,
    colours: controls.Colours = None,
    content_mask: controls.ContentMask = None,
    style_mask: controls.StyleMask = None,
    feather: controls.Feather = None,
    content_map: controls.ContentMap = None,
    initial: controls.Initial = None,
) -> None:
    """Give a photo the style of a picture.

    Interrupted with Ctrl-C, it keeps the best picture it has, and goes on with --resume.
    """
    from swag.cli.running import Output, perform

    chosen = options.overrides(
        config,
        single,
        preset=preset,
        method=method,
        backbone=backbone,
        weights=weights,
        smoothing=smoothing,
        size=size,
        steps=steps,
        strength=strength,
        seed=seed,
        device=device,
        tile=tile,
        precision=precision,
        style_loss=style_loss,
        content_loss=content_loss,
        style_weights=controls.weights(blend),
        style_scale=style_scale,
        style_rotations=style_rotations or None,
        colours=colours,
        feather=feather,
    )
    pictures = {
        "content_mask": content_mask,
        "style_mask": style_mask or None,
        "content_map": content_map,
        "initial": initial,
    }
    path = options.output_of(output, resume, [content, *style])
    out = Output(
        path=path,
        overwrite=overwrite,
        quiet=quiet,
        as_json=json,
        resume=resume,
        every=checkpoint_every,
        metadata=not no_metadata,
    )
    perform("stylize", content, style, chosen, output=out, pictures=pictures)
