"""swag reconstruct CONTENT"""

from swag.cli import options


def reconstruct(  # noqa: PLR0913 - the arguments of a command are its options
    content: options.Content,
    output: options.Out = None,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    smoothing: options.Smoothing = None,
    size: options.Size = None,
    steps: options.Steps = None,
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
) -> None:
    """Make a photo again from noise: what of it the layers of a backbone keep."""
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
        seed=seed,
        device=device,
        tile=tile,
        precision=precision,
    )
    path = options.output_of(output, resume, [content], "-reconstruction")
    out = Output(
        path=path,
        overwrite=overwrite,
        quiet=quiet,
        as_json=json,
        resume=resume,
        every=checkpoint_every,
        metadata=not no_metadata,
    )
    perform("reconstruct", content, None, chosen, output=out)
