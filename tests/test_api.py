"""What a program in Python calls: keywords, settings, modules, callbacks, results, the log."""

import collections.abc
import io
import logging
import os
import pickle
import re
import types
import typing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import swag
from swag.config import CommonSettings, Settings, SettingsKeywords
from swag.config.settings import BRITISH
from swag.errors import SettingsError
from swag.image import Picture
from swag.run import RunKeywords

TINY = {"size": 32, "steps": 2, "scales": 1, "device": "cpu", "weights": "random"}


def pictures():
    draw = torch.Generator().manual_seed(0)
    return tuple(torch.rand(3, 24, 32, generator=draw) for _ in range(2))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Conv2d(4, 8, 3, padding=1), nn.ReLU())


@pytest.fixture(scope="module")
def result():
    return swag.stylize(*pictures(), **TINY)


# Keywords


TAKEN = {
    dict[str, float]: collections.abc.Mapping[str, float] | collections.abc.Sequence[str],
    tuple[str, ...]: collections.abc.Sequence[str],
    tuple[float, ...]: collections.abc.Sequence[float],
}
"""What a caller may give for what settings keep."""

MORE = {
    "device": torch.device,
    "weights": os.PathLike[str],
    "size": typing.Literal["original"],
}


def given_for(name: str, kept: object) -> object:
    if isinstance(kept, types.UnionType) or typing.get_origin(kept) is typing.Union:
        return typing.Union[tuple(given_for(name, part) for part in typing.get_args(kept))]  # noqa: UP007
    given = TAKEN.get(kept, kept)
    return given | MORE[name] if name in MORE else given


def test_the_keywords_are_the_settings_with_what_a_caller_may_give_for_them():
    kept = typing.get_type_hints(Settings)
    kept.pop("model_config", None)
    expected = {name: given_for(name, kept[name]) for name in Settings.model_fields}
    keywords = typing.get_type_hints(CommonSettings)
    assert keywords == {n: expected[BRITISH.get(n, n)] for n in keywords}
    assert expected.keys() - keywords.keys() == {"preset", "method", "backbone"}
    assert typing.get_type_hints(SettingsKeywords).keys() - keywords.keys() == {"backbone"}


def test_a_run_takes_every_setting_and_says_what_is_near_to_a_wrong_one():
    assert typing.get_type_hints(RunKeywords).keys() >= Settings.model_fields.keys()
    with pytest.raises(SettingsError, match="no setting 'content_msk'; did you mean content_mask"):
        swag.stylize(*pictures(), content_msk=pictures()[0])
    with pytest.raises(SettingsError, match="no setting 'stength'; did you mean strength"):
        swag.iterate(*pictures(), stength=0.3)


WRONG = """
import swag
swag.stylize("a.png", "b.png", stength=0.3)
swag.stylize("a.png", "b.png", size="large")
swag.iterate("a.png", "b.png", content_msk="c.png")
swag.texture("b.png", swag.settings(sze=3))
swag.settings(tile="all")
swag.settings(device=3)
swag.texture("b.png", backbone=3)
"""
RIGHT = """
import pathlib
import swag
import torch
from torch import nn
chosen = swag.settings("quick", weights=pathlib.Path("a.pth"), device=torch.device("cpu"))
made = swag.stylize("a.png", ["b.png"], chosen, size=64, callback=print, style_layers=["relu1"])
made = swag.texture("b.png", backbone=nn.Identity(), style_layers={"relu1": 2.0})
for update in swag.iterate("a.png", "b.png", method="gatys", content_mask="c.png"):
    print(update.losses["style"])
"""


STUBS = {
    "torch": """
from typing import Any
from torch import nn as nn
class device:
    def __init__(self, name: str) -> None: ...
def __getattr__(name: str) -> Any: ...
""",
    "torch.nn": """
from typing import Any
class Module: ...
class Identity(Module): ...
def __getattr__(name: str) -> Any: ...
""",
}
"""What the lines above need of torch, whose own types take a type checker ten times as long."""


def test_a_type_checker_finds_wrong_keywords_and_no_others(tmp_path, monkeypatch):
    mypy = pytest.importorskip("mypy.api")
    for name, text in STUBS.items():
        folder = tmp_path / "stubs" / name.replace(".", "/")
        folder.mkdir(parents=True)
        (folder / "__init__.pyi").write_text(text)
    source = Path(swag.__file__).parents[1]
    monkeypatch.setenv("MYPYPATH", f"{tmp_path / 'stubs'}{os.pathsep}{source}")
    options = ["--strict", "--config-file=", "--cache-dir", str(tmp_path / "c")]
    options += ["--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent"]
    found = {}
    for name, text in (("wrong", WRONG), ("right", RIGHT)):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        found[name], _, _ = mypy.run([*options, str(path)])
    lines = {int(line) for line in re.findall(r"wrong.py:(\d+): error", found["wrong"])}
    assert lines == {3, 4, 5, 6, 7, 8, 9}
    assert found["right"].startswith("Success")


# Settings


def test_settings_are_accepted_and_keywords_win_over_them(result):
    chosen = swag.settings("quality", **TINY)
    made = swag.stylize(*pictures(), chosen, seed=0)
    assert made.settings == chosen
    assert torch.equal(made.image.pixels, result.image.pixels)
    assert swag.stylize(*pictures(), chosen, steps=1).settings == swag.settings(chosen, steps=1)


def test_settings_that_nobody_has_set_are_the_tasks_own():
    chosen = swag.settings(**TINY)
    assert swag.texture(pictures()[1], chosen).settings.start == "noise"
    kept = swag.texture(pictures()[1], swag.settings(chosen, start="style"))
    assert kept.settings.start == "style"
    quick = swag.settings("quick", **TINY)
    assert swag.texture(pictures()[1], quick).settings.start == "noise"


def test_a_texture_has_the_steps_of_a_quick_run_from_noise():
    made = swag.texture(pictures()[1], preset="quick", size=40, steps=8).settings
    assert (made.start, made.scales) == ("noise", 2)


def test_settings_and_a_preset_are_refused():
    with pytest.raises(SettingsError, match="settings and a preset were given"):
        swag.stylize(*pictures(), swag.settings(), preset="quick")


def test_settings_can_be_begun_with_and_a_method_wins_over_them():
    chosen = swag.settings("quick", steps=7)
    assert swag.settings(chosen) == chosen
    assert swag.settings(chosen, "swag").smoothing == "softmax:temperature=auto"
    assert swag.settings(chosen, "swag").steps == 7


def test_devices_paths_and_lists_of_layers_are_accepted(tmp_path):
    chosen = swag.settings(
        device=torch.device("cpu"), weights=tmp_path / "w.pth", style_layers=["a", "b"]
    )
    assert (chosen.device, chosen.weights) == ("cpu", str(tmp_path / "w.pth"))
    assert chosen.style_layers == {"a": 1.0, "b": 1.0}
    assert swag.settings(content_layers=("c",)).content_layers == {"c": 1.0}


# Modules


def test_a_plain_module_is_a_backbone_and_stays_as_it_is():
    module = network().train()
    made = swag.stylize(*pictures(), backbone=module, size=32, steps=2, scales=1)
    assert made.settings.backbone == "Sequential"
    assert module.training and all(p.requires_grad for p in module.parameters())
    layers = {"style_layers": ["1", "4"], "content_layers": ["1"]}
    chosen = swag.stylize(*pictures(), backbone=module, size=32, steps=2, scales=1, **layers)
    assert not torch.equal(made.image.pixels, chosen.image.pixels)


def test_a_backbone_is_a_module():
    backbone = swag.backbones.create(network(), style_layers=["1"], content_layers=["4"])
    whole = nn.ModuleDict({"seen": backbone, "other": nn.Linear(2, 2)}).train()
    assert not backbone.module.training
    names = [name for name, _ in whole.named_parameters() if name.startswith("seen.module.")]
    assert len(names) == 4 and names[0] in whole.state_dict()
    maps = whole.double()["seen"](torch.rand(2, 3, 16, 16).double())
    assert list(maps) == ["1", "4"]
    assert maps["4"].dtype == torch.float64 and maps["4"].shape == (2, 8, 8, 8)
    assert torch.equal(
        backbone(torch.zeros(1, 3, 16, 16).double(), ["1"])["1"][0, :, 0, 0] > 0,
        backbone.extract(torch.zeros(1, 3, 16, 16).double())["1"][0, :, 0, 0] > 0,
    )


# Callbacks and the log


def test_a_callback_is_called_after_each_step():
    seen = []
    made = swag.stylize(*pictures(), **TINY, callback=seen.append)
    assert [update.index for update in seen] == [0, 1]
    assert made.losses == seen[-1].losses
    swag.texture(pictures()[1], **TINY, callback=seen.append)
    swag.reconstruct(pictures()[0], **TINY, callback=seen.append)
    assert len(seen) == 6


def test_the_log_says_what_happens(caplog):
    caplog.set_level(logging.INFO, "swag")
    swag.stylize(*pictures(), **TINY | {"scales": 2, "steps": 4, "size": 128}, precision="float32")
    begun = [record.message for record in caplog.records]
    assert begun[0] == "scale 1 of 2: 64 x 48 pixels at once, steps 1 to 3, float32 on cpu"
    assert begun[1].startswith("scale 2 of 2: 128 x 96 pixels at once, steps 1 to 1, float32")
    assert begun[-1].startswith("the run ended: Update(step 4 of 4, 128 x 96, style ")


def test_the_log_says_that_tiles_are_used_and_that_a_scale_has_converged(caplog):
    caplog.set_level(logging.INFO, "swag")
    flat = torch.full((3, 24, 32), 0.5)
    changes = {"scales": 2, "steps": 20, "size": 128, "tile": 64}
    at_its_best = {"start": "content", "total_variation": 0}
    for _ in swag.iterate(flat, flat, **TINY | changes | at_its_best):
        pass
    said = "\n".join(record.message for record in caplog.records)
    assert "128 x 96 pixels in tiles of 64 pixels" in said
    assert "none lowered the loss" in said


# Results


def test_a_result_is_a_picture_of_pillow_and_an_array(result):
    values = result.array()
    assert values.shape == (24, 32, 3) and values.dtype == np.float32
    assert values.min() >= 0 and values.max() <= 1
    assert np.array_equal(values, result.image.pixels.permute(1, 2, 0).numpy())
    picture = result.pil()
    assert (picture.mode, picture.size) == ("RGB", (32, 24))
    assert np.abs(np.asarray(picture) / 255 - values).max() <= 0.5 / 255 + 1e-6


def test_a_result_saved_is_the_picture_of_pillow(result, tmp_path):
    result.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as saved:
        assert np.array_equal(np.asarray(saved), np.asarray(result.pil()))


def test_alpha_is_kept():
    picture = Picture(torch.rand(3, 4, 5), torch.full((1, 4, 5), 0.25))
    assert picture.array().shape == (4, 5, 4)
    assert picture.pil().mode == "RGBA" and picture.pil().getpixel((0, 0))[3] == 64


def test_notebooks_show_the_picture(result):
    last = list(swag.iterate(*pictures(), **TINY))[-1]
    for shown in (result, result.image, last):
        with Image.open(io.BytesIO(shown._repr_png_())) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(result.pil()))


def test_words_for_results_are_short(result):
    last = list(swag.iterate(*pictures(), **TINY))[-1]
    assert repr(result).startswith("Result(32 x 24, 2 steps, style ")
    assert repr(result.image) == "Picture(32 x 24)"
    assert repr(Picture(torch.rand(3, 2, 2), torch.rand(1, 2, 2))) == "Picture(2 x 2, with alpha)"
    assert repr(last).startswith("Update(step 2 of 2, 32 x 24, style ")
    assert all(len(repr(one)) < 200 for one in (result, last))


def test_results_survive_being_sent_to_another_process(result):
    again = pickle.loads(pickle.dumps(result))
    assert torch.equal(again.image.pixels, result.image.pixels)
    assert again.settings == result.settings
