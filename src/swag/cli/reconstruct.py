"""swag reconstruct CONTENT"""

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
def reconstruct(  # noqa: PLR0913 - groups of options
    content: options.Content,
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
    """Rebuild a photo from noise, which shows what the layers of a network keep of the photo.

    swag reconstruct photo.jpg --set 'content_layers={relu4_2=1}' -o kept.png
    """
    from swag.cli.output import Output
    from swag.cli.running import run_and_save

    path = output_path(output, resume, [content], "-reconstruction")
    run_and_save(
        "reconstruct",
        content,
        None,
        settings_from(method, network, run),
        output=Output.of(to, path, resume, watch),
        pictures=asdict(reading),
    )
