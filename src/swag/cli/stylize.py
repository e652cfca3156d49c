"""swag stylize CONTENT STYLE..."""

from dataclasses import asdict

from swag.cli import controls, options
from swag.cli.groups import (
    LookOptions,
    MethodOptions,
    NetworkOptions,
    OutputOptions,
    ReadOptions,
    RegionOptions,
    RunOptions,
    WatchOptions,
    grouped,
    output_path,
    settings_from,
)


@grouped
def stylize(  # noqa: PLR0913 - groups of options
    content: options.Content,
    style: options.Styles,
    *,
    output: options.Out = None,
    resume: options.Resume = None,
    to: OutputOptions,
    reading: ReadOptions,
    watch: WatchOptions,
    look: LookOptions,
    method: MethodOptions,
    run: RunOptions,
    network: NetworkOptions,
    regions: RegionOptions,
    feather: controls.Feather = None,
) -> None:
    """Give a photo the style of a picture.

    swag stylize photo.jpg painting.jpg -o result.png

    swag stylize photo.jpg painting.jpg --strength 0.7 --size 1024 --colors content

    Ctrl-C saves the best picture so far and a checkpoint, from which --resume continues.
    """
    from swag.cli.output import Output
    from swag.cli.running import run_and_save

    run_and_save(
        "stylize",
        content,
        style,
        settings_from(look, method, network, run, feather=feather),
        output=Output.of(to, output_path(output, resume, [content, *style]), resume, watch),
        pictures={**asdict(regions), **asdict(reading)},
    )
