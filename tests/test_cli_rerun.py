"""Pictures that say how they were made, and are made again."""

import io
import json
import struct
import zlib
from pathlib import Path

import pytest
import tifffile
import torch
from command import swag as run
from command import the_only_line
from PIL import Image
from safetensors.torch import save_file

import swag
from swag.backbones import bundled
from swag.errors import ImageError
from swag.image import read_metadata, write
from swag.run import provenance

TINY = ["--weights", "random", "--size", "48", "--steps", "4"]
EXTENSIONS = ["png", "jpg", "webp", "tiff", "avif"]
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def noise(*size: int) -> torch.Tensor:
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size)))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write(tmp_path / "photo.png", noise(36, 48))
    return tmp_path / "photo.png"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    write(tmp_path / "painting.png", noise(40, 44))
    return tmp_path / "painting.png"


@pytest.fixture(scope="module")
def result() -> swag.Result:
    return swag.stylize(noise(36, 48), noise(40, 44), weights="random", size=48, steps=4, seed=9)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What `swag stylize` makes of the photo and the painting."""
    folder = tmp_path_factory.mktemp("made")
    words = [folder / "photo.png", folder / "painting.png"]
    for path, pixels in zip(words, (noise(36, 48), noise(40, 44)), strict=True):
        write(path, pixels)
    assert run("stylize", *words, "-o", folder / "out.png", *TINY).exit_code == 0
    return (folder / "out.png").read_bytes()


@pytest.fixture
def made(picture: bytes, tmp_path: Path) -> Path:
    (tmp_path / "out.png").write_bytes(picture)
    return tmp_path / "out.png"


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_format_says_how_it_was_made(extension, result, tmp_path: Path):
    result.save(tmp_path / f"out.{extension}")
    found = read_metadata(tmp_path / f"out.{extension}")
    settings, made = provenance.from_texts(found, "out")
    assert settings == result.settings
    assert made == result.made
    assert made.versions.keys() == {"swag", "torch"}
    assert made.inputs.keys() == {"content", "style"}
    assert made.losses == result.losses
    assert (made.step, made.finished, made.fallbacks) == (4, True, ())
    assert (
        "Steps: 4, Sampler: lbfgs, Seed: 9, Size: 48x36, Model: swag/vgg16-distilled, Model hash: "
        in (found["parameters"])
    )


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_format_is_marked_as_generated_where_others_look(extension, result, tmp_path: Path):
    path = tmp_path / f"out.{extension}"
    result.save(path)
    if extension == "tiff":
        with tifffile.TiffFile(path) as file:
            xmp = file.pages[0].tags[700].value
        xmp = xmp if isinstance(xmp, bytes) else bytes(xmp)
    else:
        with Image.open(path) as image:
            xmp = image.info["xmp"]
    found = Image.Image()
    found.info["xmp"] = xmp
    assert SOURCE.encode() in xmp
    assert b"Iptc4xmpExt:DigitalSourceType" in xmp


def test_a_source_type_is_one_word(tmp_path: Path):
    with pytest.raises(ImageError, match="no digital source type"):
        write(tmp_path / "a.png", noise(4, 4), source_type='x"/><evil')


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_picture_is_made_again_to_the_byte(extension, photo, painting, tmp_path: Path):
    out = tmp_path / f"out.{extension}"
    options = ("--smoothing", "softmax:temperature=auto", "--seed", 3, "--set", "start=noise")
    assert run("stylize", photo, painting, "-o", out, *TINY, *options).exit_code == 0
    result = run("rerun", out, "--content", photo, "--style", painting)
    again = tmp_path / f"out-again.{extension}"
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{again}\n", "")
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("command", ["texture", "reconstruct"])
def test_textures_and_reconstructions_are_made_again_too(command, painting, tmp_path: Path):
    out, again = tmp_path / "out.png", tmp_path / "again.png"
    assert run(command, painting, "-o", out, *TINY).exit_code == 0
    role = "--style" if command == "texture" else "--content"
    assert run("rerun", out, role, painting, "-o", again).exit_code == 0
    assert again.read_bytes() == out.read_bytes()


def test_masks_and_several_styles_are_made_again_too(photo, painting, tmp_path: Path):
    out, again = tmp_path / "out.png", tmp_path / "again.png"
    mask = tmp_path / "mask.png"
    write(mask, noise(36, 48)[:1].round().expand(3, -1, -1))
    words = ("--content-mask", mask)
    assert run("stylize", photo, painting, photo, "-o", out, *TINY, *words).exit_code == 0
    inputs = ("--content", photo, "--style", painting, "--style", photo)
    assert run("rerun", out, *inputs, *words, "-o", again).exit_code == 0
    assert again.read_bytes() == out.read_bytes()
    assert "without content_mask" in the_only_line(run("rerun", out, *inputs))


def test_weights_from_a_file_have_to_be_given_and_to_be_the_same(photo, painting, tmp_path: Path):
    files = [tmp_path / "mine.safetensors", tmp_path / "other.safetensors"]
    state = bundled.network("resnet").state_dict()
    save_file(state, files[0])
    name = next(iter(state))
    save_file({**state, name: state[name] * 1.01}, files[1])
    out, inputs = tmp_path / "out.png", ("--content", photo, "--style", painting)
    words = ("--backbone", "swag/resnet", "--weights", files[0], "--size", 48, "--steps", 4)
    assert run("stylize", photo, painting, "-o", out, *words).exit_code == 0
    again = ("rerun", out, *inputs, "-o", tmp_path / "again.png")
    assert "weights from the file 'mine.safetensors'" in the_only_line(run(*again))
    assert "the weights of swag/resnet are not the same" in the_only_line(
        run(*again, "--weights", files[1])
    )
    assert run(*again, "--weights", files[0]).exit_code == 0
    assert (tmp_path / "again.png").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--content", "{style}", "--style", "{style}"], "with another content"),
        (["--content", "{photo}", "--style", "{photo}"], "with another style"),
        (["--content", "{photo}"], "needs a style picture"),
        (["--content", "{photo}", "--style", "{style}", "--style", "{style}"], "with style 2"),
        (["--content", "gone.png", "--style", "{style}"], "gone.png"),
    ],
)
def test_other_files_are_refused(words, said, made, photo, painting):
    names = {"photo": photo, "style": painting}
    line = the_only_line(run("rerun", made, *(word.format(**names) for word in words)))
    assert said in line
    assert not made.with_stem("out-again").exists()


def test_a_picture_of_another_version_is_made_with_a_note(made, photo, painting, monkeypatch):
    now = {**provenance.versions(), "torch": "99.0"}
    monkeypatch.setattr(provenance, "versions", lambda: now)
    result = run("rerun", made, "--content", photo, "--style", painting)
    assert result.exit_code == 0
    assert "note: the picture may differ: it was made with torch" in result.stderr


def with_texts(path: Path, **texts: str) -> Path:
    write(path, noise(8, 8), metadata=texts)
    return path


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"swag": "3"},
        {"swag": "{}", "swag-run": "{}"},
        {"swag": "[" * 9000, "swag-run": "[" * 9000},
        {"swag": '{"size": 1e99}'},
        {"swag": '{"size": 64, "unknown": 1}'},
        {"swag": '{"smoothing": "sofmax"}'},
        {"swag": '{"seed": -1}'},
        {"swag": '{"rate": NaN}'},
        {"swag-run": '{"task": "rm -rf"}'},
        {"swag-run": "not json"},
    ],
)
def test_metadata_that_are_not_ours_are_refused(texts, made, photo, painting, tmp_path: Path):
    ours = {} if len(texts) != 1 else {k: read_metadata(made)[k] for k in ("swag", "swag-run")}
    forged = with_texts(tmp_path / "forged.png", **{**ours, **texts})
    line = the_only_line(run("rerun", forged, "--content", photo, "--style", painting))
    assert "holds settings that this version" in line or "holds no settings" in line
    assert len(line) < 500


def test_a_text_of_ten_megabytes_is_refused(photo, painting, tmp_path: Path):
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    body = b"zTXtswag\0\0" + zlib.compress(b" " * (10 << 20))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    data = plain.getvalue()
    (tmp_path / "bomb.png").write_bytes(data[:33] + chunk + data[33:])
    line = the_only_line(
        run("rerun", tmp_path / "bomb.png", "--content", photo, "--style", painting)
    )
    assert "bomb.png" in line


def test_a_description_of_ten_megabytes_is_ignored(photo, painting, tmp_path: Path):
    text = json.dumps({"swag": " " * (10 << 20)})
    tifffile.imwrite(
        tmp_path / "bomb.tif", torch.zeros(8, 8, 3, dtype=torch.uint8).numpy(),
        photometric="rgb", description=text, metadata=None,
    )  # fmt: skip
    assert read_metadata(tmp_path / "bomb.tif") == {}


def test_a_picture_that_is_not_finished_is_refused(made, photo, painting, tmp_path: Path):
    texts = {k: v for k, v in read_metadata(made).items() if not k.startswith("XML")}
    texts["swag-run"] = texts["swag-run"].replace('"finished": true', '"finished": false')
    forged = with_texts(tmp_path / "forged.png", **texts)
    line = the_only_line(run("rerun", forged, "--content", photo, "--style", painting))
    assert "is unfinished: its run was interrupted at step 4 of 4" in line
