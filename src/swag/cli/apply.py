"""swag apply STYLE PHOTO...: photos in a style that a network was trained for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swag.cli import options
from swag.cli.groups import grouped
from swag.cli.pipes import (
    DASH,
    check_standard_output,
    output_name,
    read_standard_input,
    write_standard_output,
)
from swag.errors import SettingsError, SwagError

if TYPE_CHECKING:
    from swag.instant import StylePainter

StyleFile = Annotated[
    Path,
    options.argument(
        "STYLE", "A .safetensors file of `swag train-style`, or great-wave, which comes with SWAG."
    ),
]
Photos = Annotated[
    list[Path], options.argument("PHOTO...", "Photos, or folders of them; - is standard input.")
]
Out = Annotated[
    Path | None,
    options.option(
        "--output -o OUT",
        "File to write for one photo, or folder for several. A missing folder is created.",
        panel=options.OUTPUT,
        default="this folder",
    ),
]
Size = Annotated[int | None, options.long_side("the photo's")]
Colors = Annotated[str, options.two_colors(options.RUN)]
MaskFile = Annotated[
    Path | None,
    options.option(
        "--mask FILE",
        "Picture that is white in the parts to paint and black in those that stay as in the "
        "photo. For one photo only.",
        panel=options.RUN,
    ),
]


@grouped
def apply(  # noqa: PLR0913 - the arguments of a command are its options
    style: StyleFile,
    photos: Photos,
    output: Out = None,
    size: Size = None,
    colors: Colors = "style",
    mask: MaskFile = None,
    device: options.Device = None,
    form: options.Format = None,
    no_metadata: options.NoMetadata = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Paint photos with a network that was trained for one style, in one pass each.

    swag apply wave.safetensors photo.jpg -o out.png

    swag apply wave.safetensors photos/ -o painted/

    swag apply wave.safetensors - -o - < photo.jpg > out.png

    A photo that cannot be read gives one line on standard error; the other photos are painted.
    """
    from swag.cli.output import refuse_input
    from swag.instant import read_style

    painter = read_style(style)
    jobs = _piped_job(photos, output) or _jobs(photos, output, name=style.stem)
    if mask is not None and len(jobs) > 1:
        raise SettingsError(f"one mask was given for {len(jobs)} photos; give one photo")
    for path in jobs.values():
        output_name(path, form)
        refuse_input(path, [*jobs, style, *([] if mask is None else [mask])])
    chosen: dict[str, Any] = {"size": size, "colors": colors, "mask": mask}
    chosen["device"] = device or "auto"
    known_as = None if no_metadata else style.stem
    failed: list[SwagError] = []
    for photo, path in jobs.items():
        try:
            _paint(
                painter,
                photo,
                path,
                output_name(path, form),
                overwrite=overwrite,
                known_as=known_as,
                **chosen,
            )
        except SwagError as error:
            failed.append(error)
            continue
        if path != DASH and not quiet:
            typer.echo(str(path))
    _report(failed, len(jobs))


def _report(failed: list[SwagError], photos: int) -> None:
    """Print a line for each photo that failed, and exit with status 1; raise a single failure."""
    if photos == 1 and failed:
        raise failed[0]
    for error in failed:
        typer.echo(f"swag: {error}", err=True)
    if failed:
        raise typer.Exit(1)


def _piped_job(photos: list[Path], output: Path | None) -> dict[Path, Path]:
    """The one photo and its output path if either is `-`; empty if neither is.

    SettingsError if there are more photos, or the output is a folder or a terminal.
    """
    if DASH not in (*photos, output):
        return {}
    if len(photos) > 1 or photos[0].is_dir():
        raise SettingsError(
            "- stands for one picture; give one photo, or a folder for the pictures with -o"
        )
    path = DASH if output is None else output
    if path == DASH:
        check_standard_output()
    if path.is_dir():
        raise SettingsError(f"a photo on standard input has no name; name a file in {path}")
    return {photos[0]: path}


def _jobs(photos: list[Path], output: Path | None, *, name: str) -> dict[Path, Path]:
    """The output path for each photo."""
    from swag.batch.folders import pictures_of

    single = len(photos) == 1 and not photos[0].is_dir()
    if single and output is not None and not output.is_dir():
        return {photos[0]: output}
    folder = output or Path()
    outputs: dict[Path, Path] = {}
    for source in photos:
        names = pictures_of(source, output) if source.is_dir() else {source: Path(source.stem)}
        outputs |= {path: folder / f"{names[path]}-{name}.png" for path in names}
    if len(set(outputs.values())) < len(outputs):
        duplicate = next(path for path in outputs.values() if [*outputs.values()].count(path) > 1)
        raise SettingsError(
            f"two photos would both be written to {duplicate}; paint them with two commands"
        )
    return outputs


def _paint(
    painter: "StylePainter",
    photo: Path,
    path: Path,
    name: str,
    *,
    overwrite: bool,
    known_as: str | None,
    **chosen: Any,
) -> None:
    """Paint one picture in the format of `name`; `chosen` are keywords of `swag.apply_style`.

    Its metadata give the style as `known_as`; without a name there are none.
    """
    from swag.files import create_folder
    from swag.image import check_writable, encoded, write
    from swag.image.encode import format_of
    from swag.run import apply_style
    from swag.run.trained_style import how_applied

    if path == DASH:
        format_of(name, 8)
    else:
        create_folder(path.parent)
        check_writable(path, overwrite=overwrite)
    (source,) = read_standard_input([photo])
    picture = apply_style(painter, source, **chosen)
    made = {} if known_as is None else how_applied(known_as, painter, picture, chosen["colors"])
    if path == DASH:
        write_standard_output(encoded(name, picture, **made))
    else:
        write(path, picture, overwrite=overwrite, **made)
