"""Peak memory of tiles, in a process of its own."""

import json
import subprocess
import sys

PROGRAM = """
import json, pathlib, resource
import torch
from torch import nn
from swag.features import FeatureExtractor
from swag.losses import get
from swag.objective import Objective, LossTerm
from swag.optimize.optimizer import evaluate
from swag.smoothing import parse
from swag.tiling import TiledObjective, bytes_per_pixel, measure_receptive_field

def peak():
    # Of this program alone: what getrusage tells on Linux begins with the parent's peak.
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

torch.manual_seed(0)
torch.set_num_threads(1)
layers = [nn.Conv2d(3, 48, 3, padding=1), nn.Tanh()]
for _ in range(4):
    layers += [nn.Conv2d(48, 48, 1), nn.Tanh()]
extractor = FeatureExtractor(nn.Sequential(*layers), ["9"])
extract = lambda image, names: extractor(image)
small, large = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 640, 640)
term = LossTerm("style", get("gram"), {"9": 1.0}, small, parse("softmax"), unit_image=small)
receptive_field = measure_receptive_field(extract, ["9"], small)
evaluate(Objective.of(extract, [term], start=small, style=small), large[..., :128, :128])
found = {"before": peak()}
tiled = TiledObjective.of(receptive_field, 128, [term], start=small, style=small)
evaluate(tiled, large)
found["tiled"] = peak()
evaluate(Objective.of(extract, [term], start=small, style=small), large)
found["whole"] = peak()
found["estimate"] = bytes_per_pixel(extract, ["9"], small) * large[0, 0].numel()
print(json.dumps(found))
"""


def test_tiles_take_a_fraction_of_the_memory_and_the_estimate_is_above_it():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    tiled, whole = (found[name] - found["before"] for name in ("tiled", "whole"))
    assert tiled < whole / 4
    # On the safe side: losses and the convolutions of other networks need more room to work.
    assert 0.8 * whole < found["estimate"] < 2.5 * whole
