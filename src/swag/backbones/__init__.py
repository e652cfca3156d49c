"""Networks whose activations are matched: by name, with weights, edits and chosen layers.

create("torchvision/resnet50", weights="random", seed=1)
create("torchvision/vgg19", edits=("average-pooling", "reflect"))
create("networks.py:build")                              code of one's own, which is run
create(my_module, style_layers=["0", "2"], content_layers=["2"])
"""

from swag.backbones.backbone import Backbone, Normalize, narrow
from swag.backbones.edits import EDITS
from swag.backbones.fingerprint import check_finite, fingerprint, weights_fingerprint
from swag.backbones.initialization import calibrate
from swag.backbones.modules import check_gradient
from swag.backbones.registry import Entry, assemble, available, create, name_of
from swag.backbones.sources import NetworkSource
from swag.backbones.tail import tail_of
from swag.backbones.weights import sha256

__all__ = [
    "EDITS",
    "Backbone",
    "Entry",
    "NetworkSource",
    "Normalize",
    "assemble",
    "available",
    "calibrate",
    "check_finite",
    "check_gradient",
    "create",
    "fingerprint",
    "name_of",
    "narrow",
    "sha256",
    "tail_of",
    "weights_fingerprint",
]
