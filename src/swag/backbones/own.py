"""Networks that are code of the user's own: a factory by name, or an exported program.

my_package.networks:build          what `build` of an importable module returns
networks.py:build                  the same of a file
network.pt2                        a program of torch.export

Naming one runs it. So nobody but the user may name one: see `swag.spec.is_code`.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from swag.backbones.initialization import seeded
from swag.backbones.modules import own_copy, short_reason
from swag.backbones.sources import NetworkSource
from swag.errors import BackboneError
from swag.spec import EXPORTED

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""Possible divisors of the sides of pictures, in the order in which they are tried."""


def own_source(name: str) -> NetworkSource:
    """The network that a factory returns or a program contains, with weights of its own.

    The seed of `create` sets a factory's random numbers. Pictures are normalized as ImageNet's.

    Raises:
        BackboneError: no such module, file or factory, or it fails or returns no network.
    """
    if not name.endswith(EXPORTED):
        return NetworkSource(_run_factory(name))
    module = _load_exported(name)
    return NetworkSource(module, multiple=_side_multiple(module))


def _run_factory(name: str) -> nn.Module:
    location, _, factory = name.rpartition(":")
    if not location or not factory:
        raise BackboneError(f"no network {name!r}; expected module.path:factory or file.py:factory")
    folder = Path(location).expanduser().parent if location.endswith(".py") else Path.cwd()
    with _on_import_path(folder):
        try:
            with seeded(0):  # else draws at the first import would shift later ones
                value: Any = _module(location)
        except Exception as error:  # whatever the code raises
            raise BackboneError(f"{location} cannot be imported: {_describe(error)}") from error
        for part in factory.split("."):
            if not hasattr(value, part):
                raise BackboneError(
                    f"{location} has no {factory!r}; expected a factory of a network"
                )
            value = getattr(value, part)
        try:
            network = value if isinstance(value, nn.Module) else value()
        except Exception as error:
            raise BackboneError(f"{name} failed: {_describe(error)}") from error
    if not isinstance(network, nn.Module):
        raise BackboneError(
            f"{name} made {type(network).__name__}; expected a torch.nn.Module, or a function of "
            "no arguments that returns one"
        )
    return own_copy(network)


def _module(location: str) -> Any:
    if not location.endswith(".py"):
        return importlib.import_module(location)
    path = Path(location).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    name = f"_swag_own_{path.stem}_{abs(hash(path)):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pickles and dataclasses look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _on_import_path(folder: Path) -> Iterator[None]:
    """Let imports look into the folder, after all others."""
    path = os.fspath(folder.resolve())
    sys.path.append(path)
    try:
        yield
    finally:
        sys.path.remove(path)


def _load_exported(name: str) -> nn.Module:
    """The program as a module; it may take one size only, which is its `example_size`."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise BackboneError(f"there is no file {name!r}; expected a program of torch.export")
    try:
        program = torch.export.load(path)
        module = torch.export.unflatten(program)
    except Exception as error:  # any, since the format changes with torch
        raise BackboneError(
            f"{name!r} cannot be read as a program of torch.export: {_describe(error)}"
        ) from error
    example = program.example_inputs
    if example is not None and example[0] and isinstance(example[0][0], torch.Tensor):
        module.example_size = tuple(example[0][0].shape[-2:])  # type: ignore[assignment]
    return module


def _side_multiple(module: nn.Module) -> int:
    """The number that sides of pictures must be multiples of; 1 if only one size is possible."""
    like = next(module.parameters(), torch.empty(0))
    for multiple in MULTIPLES:
        side = multiple * (MULTIPLES[-1] // multiple + 1)  # an odd multiple, but for the last
        try:
            with torch.no_grad():
                module(torch.zeros(1, 3, side, side).to(like))
        except Exception:  # foreign code may raise any
            continue
        return multiple
    return 1


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {short_reason(error)}"
