"""swag texture STYLE..."""

from dataclasses import asdict

from swag.cli import options
from swag.cli.groups import (
    MethodOptions,
    NetworkOptions,
    OutputOptions,
    ReadOptions,
    RunOptions,
    WatchOptions,
    grouped,
    output_path,
    settings_from,
)


@grouped
def texture(  # noqa: PLR0913 - groups of options
    style: options.Styles,
    *,
    output: options.Out = None,
    resume: options.Resume = None,
    to: OutputOptions,
    reading: ReadOptions,
    watch: WatchOptions,
    method: MethodOptions,
    run: RunOptions,
    network: NetworkOptions,
) -> None:
    """Make a texture from noise: the style alone, without a photo.

    swag texture painting.jpg --size 1024 -o texture.png
    """
    from swag.cli.output import Output
    from swag.cli.running import run_and_save

    path = output_path(output, resume, style, "-texture")
    run_and_save(
        "texture",
        None,
        style,
        settings_from(method, network, run),
        output=Output.of(to, path, resume, watch),
        pictures=asdict(reading),
    )
