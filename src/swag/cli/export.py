"""swag export STYLE OUT.onnx: a style for programs without torch."""

from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options
from swag.cli.groups import grouped

StyleSource = Annotated[
    Path,
    options.argument(
        "STYLE",
        "A .safetensors file of `swag train-style`; great-wave, which comes with SWAG; or a "
        "painting, to export the network of --method instant for this painting.",
    ),
]
OnnxFile = Annotated[Path, options.argument("OUT.onnx", "The file to write.")]


@grouped
def export(
    style: StyleSource,
    out: OnnxFile,
    strength: options.Strength = None,
    size: options.Size = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    r"""Export a network that paints photos of any height and width, as an ONNX file.

    swag export wave.safetensors wave.onnx

    swag export painting.jpg painting.onnx --strength 1

    Needs the extra: pip install 'swag-style\[onnx]'
    """
    from swag.cli.output import refuse_input
    from swag.errors import ResourceError, SettingsError
    from swag.files import claim
    from swag.instant.export import export_onnx
    from swag.run.trained_style import photo_network

    if out.suffix.lower() != ".onnx":
        raise SettingsError(f"{out}: expected a name that ends in .onnx")
    refuse_input(out, [style])
    if out.exists() and not (overwrite and out.is_file()):
        raise SettingsError(f"{out} exists; give another name, or --overwrite for a file")
    network = photo_network(style, strength=strength, size=size)
    try:
        with claim(out):  # it finds out before the minute that the export takes
            export_onnx(network, out)
    except OSError as error:
        raise ResourceError(f"cannot write {out}: {error.strerror or error}") from error
    if not quiet:
        typer.echo(str(out))
