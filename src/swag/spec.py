"""A choice as users write it: NAME[:KEY=VALUE,KEY=VALUE...][@LAYER,LAYER...].

parse_spec("mrf:size=3,patches=64").options           {"size": "3", "patches": "64"}
parse_with_layers("softmax:temperature=auto@layer3").layers                     ("layer3",)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Spec:
    """A name, its options as they are written, and its layers; None stands for all layers."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] | None = None

    @property
    def written_options(self) -> str:
        """The options in one line, as in a message."""
        return ",".join(f"{key}={value}" if value else key for key, value in self.options.items())


def parse_spec(text: str) -> Spec:
    """Split a name from its options, which the caller checks.

    White space around any part is ignored. An option without `=` has an empty value.
    """
    name, colon, options = text.partition(":")
    pairs = (option.partition("=") for option in options.split(","))
    values = {key.strip(): value.strip() for key, _, value in pairs}
    return Spec(name.strip(), values if colon else {})


def parse_with_layers(text: str) -> Spec:
    """Split a choice that may also name its layers; see `parse_spec`."""
    choice, separator, layers = text.partition("@")
    names = tuple(layer.strip() for layer in layers.split(",")) if separator else None
    return replace(parse_spec(choice), layers=names)


EXPORTED = ".pt2"
"""The ending of programs of torch.export."""


def is_code(backbone: str) -> bool:
    """Whether a network's name stands for code, which is run: FACTORY of a module or a file, as in
    module:FACTORY, or an exported program."""
    return backbone.endswith(EXPORTED) or ":" in backbone
