"""swag video VIDEO STYLE: a video in the style of a painting."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options
from swag.cli.groups import grouped
from swag.cli.interruption import interruption_exit, stop_on_interrupt

VideoFile = Annotated[Path, options.argument("VIDEO", "The video, in any container and codec.")]
VideoStyleName = Annotated[
    Path,
    options.argument(
        "STYLE",
        "A painting, a .safetensors file of `swag train-style`, or great-wave, which comes "
        "with SWAG.",
    ),
]
VideoOut = Annotated[
    Path | None,
    options.option(
        "--output -o OUT",
        "Video to write: .mp4, .mov, .m4v or .mkv (H.264), or .webm (VP9).",
        panel=options.OUTPUT,
        default="a .mp4 in this folder, named for its inputs",
    ),
]
VideoSize = Annotated[int | None, options.long_side("the video's")]
VideoColors = Annotated[str, options.two_colors(options.LOOK)]
Steady = Annotated[
    float,
    options.option(
        "--steadiness X",
        "Share of the previous result in each frame: 0 paints every frame by itself.",
        panel=options.LOOK,
        default="0.8",
    ),
]
NoMetadata = Annotated[
    bool,
    options.option(
        "--no-metadata",
        "Store no settings, hashes or versions in the video.",
        panel=options.OUTPUT,
    ),
]
FramePixels = Annotated[
    int | None,
    options.option(
        "--max-pixels N",
        "Refuse videos whose frames have more pixels. Default: 178,956,970.",
        panel=options.RUN,
        min=1,
    ),
]


@grouped
def video(  # noqa: PLR0913 - the arguments of a command are its options
    source: VideoFile,
    style: VideoStyleName,
    *,
    output: VideoOut = None,
    size: VideoSize = None,
    strength: options.Strength = None,
    colors: VideoColors = "style",
    steadiness: Steady = 0.8,
    max_pixels: FramePixels = None,
    device: options.Device = None,
    no_metadata: NoMetadata = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    r"""Give a video the style of a painting, with its sound.

    swag video in.mp4 painting.jpg -o out.mp4

    swag video in.mp4 great-wave --size 960 -o out.mp4

    After Ctrl-C or a crash, the same command continues. Needs the extra: pip install
    'swag-style\[video]'
    """
    from swag.cli.bars import frames_bar
    from swag.cli.output import refuse_input
    from swag.errors import check_installed
    from swag.image import MAX_PIXELS

    check_installed("av", "cv2", user="swag video", extra="video")
    from swag.video import VideoStyle, paint_video

    out = output or Path(f"{source.stem}-{style.stem}.mp4")
    out = out / f"{source.stem}-{style.stem}.mp4" if out.is_dir() else out
    refuse_input(out, [source, style])
    look = VideoStyle(strength, colors, steadiness, device or "auto")
    last = None
    try:
        with stop_on_interrupt(lambda: last is not None) as should_stop:
            progress = paint_video(
                source,
                style,
                out,
                size=size,
                look=look,
                max_pixels=max_pixels or MAX_PIXELS,
                metadata=not no_metadata,
                overwrite=overwrite,
                should_stop=should_stop,
            )
            with frames_bar(visible=not quiet) as show:
                for last in progress:
                    show(last.done, last.frames)
    except KeyboardInterrupt:
        pass
    if last is None or not last.finished:
        raise interruption_exit(_kept_frames(out))
    if not quiet:
        typer.echo(str(out))


def _kept_frames(out: Path) -> str:
    from swag.video.painting import SEGMENT, parts_of

    parts = parts_of(out)
    if not parts.segments:
        return f" before the first {SEGMENT} frames were done; nothing was kept"
    frames = f"{len(parts.segments) * SEGMENT} frames kept in {shlex.quote(str(parts.folder))}"
    return f"; the same command continues from the {frames}"
