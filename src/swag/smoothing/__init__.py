"""Smoothing of activations, which SWAG puts between a network and the squared losses.

    softmax(features)                                 the paper's sigma: one softmax over a layer
    parse("softmax:temperature=auto@layer3,layer4")   a choice, as users write it
    parse("power:exponent=0.5")(features)             a choice, applied

A choice that says `auto` is fitted to the style picture once and then fixed for the run:

    smoothing = parse("softmax:temperature=auto").at("layer3").fitted(style_features)
    smoothed = smoothing(features)                    mean one: entries that float32 can hold
    unit = smoothing.unit(features.shape)             smoothed * unit is the paper's sigma(F)

Every function returns a map of the same shape, treats each picture of a batch separately, and
computes in float32 or float64: in float16 half the entries of a softmax over a layer vanish.
"""

from swag.smoothing.functions import (
    channel_softmax,
    log,
    none,
    power,
    scale,
    softmax,
    spatial_softmax,
    tanh,
)
from swag.smoothing.kinds import KINDS, Kind, Parameter
from swag.smoothing.specification import Smoothing, parse

__all__ = [
    "KINDS",
    "Kind",
    "Parameter",
    "Smoothing",
    "channel_softmax",
    "log",
    "none",
    "parse",
    "power",
    "scale",
    "softmax",
    "spatial_softmax",
    "tanh",
]
