"""The studies by name, in the order of the paper."""

from collections.abc import Mapping
from types import MappingProxyType

from swag_lab.experiments.studies import (
    ablation,
    judges,
    methods,
    networks,
    open_questions,
    outliers,
    real,
    statistics,
    suppression,
    weights,
)
from swag_lab.experiments.study import Study

_MODULES = (
    judges,
    weights,
    ablation,
    statistics,
    suppression,
    outliers,
    networks,
    methods,
    open_questions,
    real,
)

STUDIES: Mapping[str, Study] = MappingProxyType({m.STUDY.name: m.STUDY for m in _MODULES})
"""The studies by name."""
