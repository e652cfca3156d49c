"""Where weights come from: pretrained, random by a named scheme, or a file.

pretrained                      those published with the network
random                          random:torchvision, as its constructor draws them
random:kaiming+calibrated       another scheme, batch statistics from given pictures
random:greedy:draws=16          the best of several draws, layer by layer; see `greedy`
FILE                            .safetensors, or .pth/.pt without anything but tensors
"""

import hashlib
import pickle
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from swag.backbones.initialization import SCHEMES
from swag.errors import WeightsError
from swag.spec import Spec
from swag.spec import parse_spec as parse_spec

StateDict = dict[str, Tensor]

DRAWS = 8
"""Draws of each group of layers that the greedy scheme chooses among, if none are named."""

MOST_DRAWS = 64

_CALIBRATED = "+calibrated"
_WRAPPERS = ("state_dict", "model", "model_state_dict")
MOST_WRAPPERS = 4
"""Levels of nested dictionaries, down to that of tensors."""
_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class Weights:
    """A parsed `weights=`: one of pretrained, a random scheme, and a file.

    Args:
        scheme: name of a random scheme, or None.
        calibrated: batch statistics from pictures, for a random scheme.
        file: path of a file, or None.
        draws: of each group of layers, for the scheme greedy; 1 for all others.
    """

    scheme: str | None = None
    calibrated: bool = False
    file: Path | None = None
    draws: int = 1


def parse_weights(text: str | Path) -> Weights:
    """Read `pretrained`, `random`, `random:SCHEME[:OPTION][+calibrated]` or the path of a file.

    Raises:
        WeightsError: an unknown scheme or option, or a file that is not there.
    """
    if text == "pretrained":
        return Weights()
    head, _, scheme = str(text).removesuffix(_CALIBRATED).partition(":")
    if isinstance(text, str) and head == "random":
        return _parse_random(scheme, calibrated=text.endswith(_CALIBRATED))
    path = _file(text)
    if path is None:
        raise WeightsError(
            f"there is no file of weights {str(text)[:200]!r}; expected pretrained, random, "
            f"random:SCHEME ({', '.join(SCHEMES)}) or the path of a .safetensors or .pth file"
        )
    return Weights(file=path)


def _parse_random(text: str, *, calibrated: bool) -> Weights:
    """A scheme with its option, as in `greedy:draws=16`."""
    choice = parse_spec(text)
    scheme = choice.name or "torchvision"
    SCHEMES.find(scheme)
    if scheme == "greedy":
        return Weights(scheme, draws=_parse_draws(choice, calibrated))
    if choice.options:
        raise WeightsError(
            f"random:{scheme} takes no option, not {choice.written_options!r}; only greedy does"
        )
    return Weights(scheme, calibrated)


def _parse_draws(choice: Spec, calibrated: bool) -> int:
    """The number in `greedy:draws=16`."""
    if calibrated:
        raise WeightsError(
            "random:greedy chooses with batch statistics as they are constructed and takes no "
            "+calibrated; use random:greedy, or random:torchvision+calibrated"
        )
    options = choice.options or {"draws": str(DRAWS)}
    number = options.get("draws", "")
    valid = len(options) == 1 and number.isdecimal() and 1 <= int(number) <= MOST_DRAWS
    if not valid:
        raise WeightsError(
            f"random:greedy:{choice.written_options} is no number of draws; expected draws=N, N a "
            f"whole number from 1 to {MOST_DRAWS}, as in random:greedy:draws={DRAWS}"
        )
    return int(number)


def _file(text: str | Path) -> Path | None:
    """The file of this name, or None if there is none or the name cannot be one."""
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, an unknown home
        return None


def sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(path: Path) -> StateDict:
    """Tensors by name, from a .safetensors file or one of torch.save; nothing in it is run.

    Unwraps checkpoints that keep the network under "state_dict" or "model", and drops the
    prefix that wrappers of a module leave.

    Raises:
        WeightsError: a file that is damaged or holds other things than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(path.read_bytes())  # mapped, a short file would end the process
        with warnings.catch_warnings():
            # An unusual pickle is read all the same, or refused below in our words.
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is damaged or holds objects other than tensors, which SWAG does not load; "
            "save only the state dict of the network, best as .safetensors"
        ) from error
    except Exception as error:  # a damaged file ends in errors of any kind
        raise WeightsError(f"{path} is damaged, or not a file of weights") from error
    return _without_prefix(_unwrap(content, path))


def load_weights(
    module: nn.Module, state: Mapping[str, Tensor], *, origin: str, ignore: Iterable[str] = ()
) -> None:
    """Copy tensors into a network; all of its tensors must be there and fit.

    Args:
        origin: of the tensors, named in errors, as a file.
        ignore: prefixes of names in `state` that the network may lack, as a classifier's.

    Raises:
        WeightsError: names the origin, counts what does not fit and gives the first of each.
    """
    expected = module.state_dict()
    # Counters of batches, which old files lack, matter to training alone.
    needed = [name for name in expected if not name.endswith("num_batches_tracked")]
    faults = {
        "missing": [name for name in needed if name not in state],
        "unexpected": [n for n in state if n not in expected and not n.startswith(tuple(ignore))],
        "of another shape": [
            name for name in needed if name in state and state[name].shape != expected[name].shape
        ],
    }
    errors = [f"{len(names)} {kind} (first {names[0]})" for kind, names in faults.items() if names]
    if errors:
        raise WeightsError(
            f"{origin} does not fit {type(module).__name__}: of {len(needed)} tensors "
            f"{', '.join(errors)}; give the weights of this very network"
        )
    module.load_state_dict({name: state[name] for name in expected if name in state}, strict=False)


def _unwrap(content: object, path: Path) -> StateDict:
    for _ in range(MOST_WRAPPERS):  # a pickle may hold itself
        if not isinstance(content, dict):
            break
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return {str(name): value for name, value in content.items()}
        content = next((content[key] for key in _WRAPPERS if key in content), None)
    raise WeightsError(
        f"{path} holds no tensors by name, neither at its top nor under "
        f"{', '.join(_WRAPPERS)}; save the state dict of the network"
    )


def _without_prefix(state: StateDict) -> StateDict:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state
