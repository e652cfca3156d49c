"""What stands in a picture about its run, which never costs the picture."""

import math
from dataclasses import replace

import pytest
import torch

from swag.image import Picture, read_metadata
from swag.run import iterate, load_checkpoint, recorded


@pytest.fixture(scope="module")
def update():
    random = torch.Generator().manual_seed(0)
    photo, painting = (Picture(torch.rand(3, 24, 32, generator=random)) for _ in range(2))
    run = iterate(photo, painting, weights="random", size=32, steps=1, scales=1)
    return list(run)[-1]


@pytest.fixture(autouse=True)
def warnings_logged(caplog):
    """Whatever --quiet has set the logger to before."""
    with caplog.at_level("WARNING", "swag"):
        yield


LONG = "memory ran out " * 40
HOSTILE = {
    "a sentence that is too long": {"fallbacks": (LONG,)},
    "too many sentences": {"fallbacks": tuple(f"{n} {LONG}" for n in range(500))},
    "too many losses": {"losses": {f"style layer {n}": 1.0 for n in range(3000)}},
    "long names of losses": {"losses": {f"{n} {'style' * 200}": 1.0 for n in range(1000)}},
    "a loss that is no number": {"losses": {"style": math.inf, "content": math.nan}},
}


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_no_words_about_a_run_cost_its_picture_or_its_checkpoint(update, changes, tmp_path):
    changed = replace(update, **changes)
    changed.save_checkpoint(tmp_path / "out.ckpt")
    assert load_checkpoint(tmp_path / "out.ckpt").header.index == 0
    for name in ("out.png", "out.jpg"):
        changed.result([]).save(tmp_path / name)
        made = recorded(tmp_path / name).made
        assert made.finished and all(len(words) <= 200 for words in made.fallbacks)


def test_settings_that_no_file_holds_are_left_out_with_a_warning(update, tmp_path, caplog):
    layers = {f"{n}{'é' * 290}": 1.0 for n in range(128)}
    settings = update.settings.model_copy(update={"style_layers": layers})
    replace(update, settings=settings).result([]).save(tmp_path / "out.jpg")
    assert read_metadata(tmp_path / "out.jpg").keys() - {"XML:com.adobe.xmp"} == {"parameters"}
    assert "too long for its file: it holds parameters" in caplog.text


def test_losses_that_no_file_holds_are_the_first_to_be_left_out(update, tmp_path, caplog):
    losses = {f"{n} {'é' * 150}": 1.0 for n in range(1000)}
    replace(update, losses=losses).result([]).save(tmp_path / "out.jpg")
    assert recorded(tmp_path / "out.jpg").made.losses == {}
    assert "it holds parameters and swag and swag-run without losses" in caplog.text
