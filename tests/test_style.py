"""A network of one painting: strips show no seam, files say what they hold, photos are painted."""

import json

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

import swag
from swag.cli import app
from swag.errors import SettingsError, WeightsError
from swag.image import Picture, read, read_metadata, write
from swag.image.metadata import XMP
from swag.instant import StyleCard, StyleNetwork, StylePainter, painter, read_style, write_style
from swag.instant.style_network import ChannelSpread, NormalizedConv
from swag.run.update import GENERATED

CARD = StyleCard(
    widths=(4, 6, 8),
    blocks=1,
    painting="0" * 64,
    weights="1" * 64,
    settings={"strength": 0.5},
    recipe={"steps": 1},
    steps=1,
    versions={"swag": "0"},
)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = StyleNetwork((4, 6, 8), 1)
        for name, parameter in network.named_parameters():
            if name.endswith(("scale", "shift", "bias")):
                parameter.data += 0.3 * torch.randn(parameter.shape)
    return network


@pytest.fixture
def style(network, tmp_path):
    path = tmp_path / "s.safetensors"
    write_style(path, network, CARD)
    return path


def noise(rows: int, columns: int) -> torch.Tensor:
    return torch.rand(1, 3, rows, columns, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (16, 16), (33, 47), (50, 18)])
def test_pictures_keep_their_size(network, rows, columns):
    assert StylePainter(network).paint(noise(rows, columns)).shape == (1, 3, rows, columns)


def test_normalized_channels_have_the_scale_and_the_shift(network):
    layer = NormalizedConv(3, 5)
    layer.scale.data, layer.shift.data = torch.arange(1.0, 6.0), torch.arange(5.0)
    out = layer(noise(20, 30))
    torch.testing.assert_close(out.mean((2, 3))[0], layer.shift.detach())
    deviation = out.std((2, 3), correction=0)[0]
    torch.testing.assert_close(deviation, layer.scale.detach(), rtol=1e-3, atol=1e-3)
    known = layer(noise(20, 30), ChannelSpread.of(layer.conv(noise(20, 30))))
    torch.testing.assert_close(known, out, rtol=1e-4, atol=1e-5)


def test_spreads_of_parts_are_that_of_the_whole():
    x = noise(30, 20)
    parts = [(float(p.shape[2] * 20), ChannelSpread.of(p)) for p in x.split([7, 23], dim=2)]
    pooled, whole = ChannelSpread.pooled(parts), ChannelSpread.of(x)
    torch.testing.assert_close(pooled.mean, whole.mean)
    torch.testing.assert_close(pooled.variance, whole.variance)


@pytest.mark.parametrize("rows", [200, 331, 402])
def test_strips_show_no_seam(network, monkeypatch, rows):
    photo = noise(rows, 40).double() * torch.linspace(0, 1, rows)[:, None]
    style = StylePainter(network.double())
    whole = style.paint(photo)
    monkeypatch.setattr(painter, "AT_ONCE", 48 * 40)
    assert len(painter.row_strips(rows, 40, 16)) > 4
    torch.testing.assert_close(style.paint(photo), whole, rtol=0, atol=1e-10)


def test_the_style_of_the_package_paints_any_photo():
    style = read_style("great-wave")
    assert style.card["settings"]["style_loss"] == "bures" and style.card["steps"] == 1400
    photo = torch.linspace(0, 1, 64)[None, None, None].expand(1, 3, 48, 64).contiguous()
    painted = style.paint(photo).clamp(0, 1)
    assert float(painted[..., 40:].mean()) > float(painted[..., :24].mean()) + 0.2
    assert float(painted[:, 0].mean()) < float(painted[:, 1].mean()) + 0.1  # the wave is blue


def test_a_file_gives_back_its_network_and_what_it_is(network, style):
    found = read_style(style)
    assert found.card == CARD.model_dump()
    for name, tensor in found.network.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name].half().float()), name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "there is no file '.*expected a file that swag train-style"),
        (lambda path: path.write_bytes(b""), "safetensors"),
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "safetensors"),
        (
            lambda path: save_file({"a": torch.zeros(1)}, path),
            "is no style; expected a file that swag train-style wrote, or great-wave$",
        ),
        (lambda path: with_card(path, {"blocks": 2}), "is damaged"),
        (lambda path: with_card(path, {"widths": [4, 6, 9]}), "is damaged"),
        (lambda path: with_card(path, {"widths": [10**9, 3]}), "is no style"),
        (lambda path: with_card(path, {"format": 2}), r"is no style, .* \(format: Input should"),
        (lambda path: with_card(path, {}, value=float("nan")), "not all of its weights are finite"),
    ],
)
def test_files_that_are_no_styles(style, change, said):
    change(style)
    with pytest.raises(WeightsError, match=said) as caught:
        read_style(style)
    assert "\n" not in str(caught.value)


def test_a_misspelled_style_is_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"no file 'great-wav'; did you mean great-wave\?"):
        read_style("great-wav")


def with_card(path, changes, value=None):
    """The same file with another card, or weights that are all of one value."""
    state = {n: t.half().contiguous() for n, t in read_style(path).network.state_dict().items()}
    if value is not None:
        state = {name: torch.full_like(tensor, value) for name, tensor in state.items()}
    save_file(state, path, {"swag-style": json.dumps(CARD.model_dump() | changes)})


def test_alpha_stays_and_hidden_colors_have_no_say(style):
    alpha = torch.ones(1, 24, 30)
    alpha[:, :12] = 0
    pixels = noise(24, 30)[0]
    other = torch.where(alpha > 0, pixels, 1 - pixels)
    results = [swag.apply_style(style, Picture(p, alpha)) for p in (pixels, other)]
    assert torch.equal(results[0].alpha, alpha)
    assert torch.equal(results[0].pixels, results[1].pixels)


def test_where_a_mask_is_black_the_photo_stays(style):
    photo = Picture(noise(24, 30)[0])
    mask = torch.zeros(3, 24, 30)
    mask[:, :, 15:] = 1
    whole, masked = (
        swag.apply_style(style, photo),
        swag.apply_style(style, photo, mask=Picture(mask)),
    )
    assert torch.equal(masked.pixels[:, :, :15], photo.pixels[:, :, :15])
    assert torch.equal(masked.pixels[:, :, 15:], whole.pixels[:, :, 15:])
    with pytest.raises(SettingsError, match="same aspect ratio"):
        swag.apply_style(style, photo, mask=Picture(mask[:, :, :8]))


def test_the_colors_may_be_the_photos(style):
    red = Picture(noise(24, 30)[0] * torch.tensor([0.9, 0.1, 0.1])[:, None, None])
    kept = swag.apply_style(style, red, colors="content").pixels.mean((1, 2))
    styled = swag.apply_style(style, red).pixels.mean((1, 2))
    assert kept[0] - kept[2] > styled[0] - styled[2] + 0.5
    with pytest.raises(SettingsError, match="expected style or content"):
        swag.apply_style(style, red, colors="red")


def swag_program(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_paints_photos_and_folders(style, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a", "b"):
        write(photos / f"{name}.png", Picture(noise(20, 30)[0]))
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    one = swag_program("apply", style, photos / "a.png", "-o", tmp_path / "one.png", "--size", 16)
    assert one.exit_code == 0, one.output
    assert read(tmp_path / "one.png").size == (16, 11)
    many = swag_program("apply", style, photos, "-o", tmp_path / "out")
    assert many.exit_code == 1 and many.output.count("swag:") == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a-s.png", "b-s.png"}
    again = swag_program("apply", style, photos / "a.png", "-o", tmp_path / "out")
    assert again.exit_code == 1 and "overwrite" in again.output
    over = swag_program("apply", style, photos / "a.png", "-o", photos / "a.png", "--overwrite")
    assert over.exit_code == 1 and "would overwrite" in over.output
    masks = swag_program("apply", style, photos, "-o", tmp_path / "c", "--mask", photos / "a.png")
    assert masks.exit_code == 1 and "one mask" in masks.output


def test_the_command_knows_the_home_folder(style, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.png", Picture(noise(20, 30)[0]))
    assert swag_program("apply", style, "~/a.png", "-o", "~/new/b.png").exit_code == 0
    assert (tmp_path / "new" / "b.png").exists()


def test_a_painted_photo_says_how_it_was_made(style, tmp_path):
    write(tmp_path / "a.png", Picture(noise(20, 30)[0]))
    for ending in ("png", "jpg"):
        out = tmp_path / f"out.{ending}"
        assert swag_program("apply", style, tmp_path / "a.png", "-o", out).exit_code == 0
        texts = read_metadata(out)
        assert set(texts) == {"parameters", XMP} and GENERATED in texts[XMP]
        said = texts["parameters"]
        assert said.startswith("apply\nSize: 30x20, Model: s, Painting hash: 0000000000, Colors: ")
        assert str(tmp_path) not in said
    assert "Model: s" in swag_program("settings", out).stdout
    bare = swag_program(
        "apply", style, tmp_path / "a.png", "-o", tmp_path / "b.png", "--no-metadata"
    )
    assert bare.exit_code == 0 and read_metadata(tmp_path / "b.png") == {}


def test_other_widths_are_other_networks(network, tmp_path):
    path = tmp_path / "wide.safetensors"
    write_style(path, StyleNetwork(), replace_card(widths=(16, 32, 64), blocks=5))
    assert read_style(path).network.widths == (16, 32, 64)
    assert path.stat().st_size < 2**20


def replace_card(**changes):
    return CARD.model_copy(update=changes)
