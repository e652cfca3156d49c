"""swag stylize, texture, reconstruct: one picture, by optimization."""

from dataclasses import asdict

from swag.cli import groups, options
from swag.cli.groups import grouped, settings_from
from swag.errors import SettingsError


@grouped
def stylize(  # noqa: PLR0913 - groups of options
    content: options.Content,
    style: options.Styles,
    *,
    output: options.Out = None,
    resume: options.Resume = None,
    to: groups.OutputOptions,
    max_pixels: options.MaxPixels = None,
    watch: groups.WatchOptions,
    look: groups.LookOptions,
    method: groups.MethodOptions,
    run: groups.RunOptions,
    network: groups.NetworkOptions,
    regions: groups.RegionOptions,
    feather: options.Feather = None,
) -> None:
    """Give a photo the style of a picture.

    swag stylize photo.jpg painting.jpg -o result.png

    swag stylize photo.jpg painting.jpg --strength 0.7 --size 1024 --colors content

    Ctrl-C saves the best picture so far and a checkpoint, from which --resume continues.
    """
    from swag.cli.output import Output, output_path
    from swag.cli.running import run_and_save

    _check_regions(regions, feather, run.start)
    run_and_save(
        "stylize",
        content,
        style,
        settings_from(look, method, network, run, feather=feather),
        output=Output.of(to, output_path(output, resume, [content, *style]), resume, watch),
        pictures={**asdict(regions), "max_pixels": max_pixels},
    )


def _check_regions(regions: groups.RegionOptions, feather: float | None, start: str | None) -> None:
    """Refuse options that a picture beside photo and style makes useless, or that lack one."""
    if feather and regions.content_mask is None:
        raise SettingsError(
            f"--feather {feather:g} blurs the edges of a content mask, and there is none; give "
            "one with --content-mask, or leave out --feather"
        )
    if start is not None and regions.initial is not None:
        raise SettingsError(
            f"--start {start} and --initial {regions.initial} both name the picture to begin "
            "with; give only one of them"
        )


@grouped
def texture(  # noqa: PLR0913 - groups of options
    style: options.Styles,
    *,
    output: options.Out = None,
    resume: options.Resume = None,
    to: groups.OutputOptions,
    max_pixels: options.MaxPixels = None,
    watch: groups.WatchOptions,
    method: groups.MethodOptions,
    run: groups.RunOptions,
    network: groups.NetworkOptions,
) -> None:
    """Make a texture from noise: the style alone, without a photo.

    swag texture painting.jpg --size 1024 -o texture.png
    """
    from swag.cli.output import Output, output_path
    from swag.cli.running import run_and_save

    path = output_path(output, resume, style, "-texture")
    run_and_save(
        "texture",
        None,
        style,
        settings_from(method, network, run),
        output=Output.of(to, path, resume, watch),
        pictures={"max_pixels": max_pixels},
    )


@grouped
def reconstruct(  # noqa: PLR0913 - groups of options
    content: options.Content,
    *,
    output: options.Out = None,
    resume: options.Resume = None,
    to: groups.OutputOptions,
    max_pixels: options.MaxPixels = None,
    watch: groups.WatchOptions,
    method: groups.MethodOptions,
    run: groups.RunOptions,
    network: groups.NetworkOptions,
) -> None:
    """Rebuild a photo from noise, which shows what the layers of a network keep of the photo.

    swag reconstruct photo.jpg --set 'content_layers={relu4_2=1}' -o kept.png
    """
    from swag.cli.output import Output, output_path
    from swag.cli.running import run_and_save

    path = output_path(output, resume, [content], "-reconstruction")
    run_and_save(
        "reconstruct",
        content,
        None,
        settings_from(method, network, run),
        output=Output.of(to, path, resume, watch),
        pictures={"max_pixels": max_pixels},
    )
