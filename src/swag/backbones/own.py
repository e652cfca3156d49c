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
"""Numbers whose multiple the sides of pictures may have to be, in the order of the trials."""


def own_source(name: str) -> NetworkSource:
    """The network that a factory makes, or that a program is; its weights are its own.

    What a factory draws, it draws by the seed of `create`. Pictures are normalized as ImageNet's.

    Raises:
        BackboneError: there is no such module, file or factory, it fails, or makes no network.
    """
    if not name.endswith(EXPORTED):
        return NetworkSource(_made(name))
    module = _exported(name)
    return NetworkSource(module, multiple=_multiple(module))


def _made(name: str) -> nn.Module:
    place, _, factory = name.rpartition(":")
    if not place or not factory:
        raise BackboneError(f"no network {name!r}; expected module.path:factory or file.py:factory")
    folder = Path(place).expanduser().parent if place.endswith(".py") else Path.cwd()
    with _importable(folder):
        try:
            with seeded(0):  # or what an import draws would count the first time alone
                found: Any = _module(place)
        except Exception as error:  # whatever the code raises
            raise BackboneError(f"{place} cannot be imported: {_kind(error)}") from error
        for part in factory.split("."):
            if not hasattr(found, part):
                raise BackboneError(f"{place} has no {factory!r}; expected a factory of a network")
            found = getattr(found, part)
        try:
            made = found if isinstance(found, nn.Module) else found()
        except Exception as error:
            raise BackboneError(f"{name} failed: {_kind(error)}") from error
    if not isinstance(made, nn.Module):
        raise BackboneError(
            f"{name} made {type(made).__name__}; expected a torch.nn.Module, or a function of no "
            "arguments that returns one"
        )
    return own_copy(made)


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    path = Path(place).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    name = f"_swag_own_{path.stem}_{abs(hash(path)):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pickles and dataclasses look for it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Imports find what lies in the folder, after everything else."""
    path = os.fspath(folder.resolve())
    sys.path.append(path)
    try:
        yield
    finally:
        sys.path.remove(path)


def _exported(name: str) -> nn.Module:
    """The program as a module; of its own inputs it may take one size only."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise BackboneError(f"there is no file {name!r}; expected a program of torch.export")
    try:
        program = torch.export.load(path)
        module = torch.export.unflatten(program)
    except Exception as error:  # of a format that changes with torch
        raise BackboneError(
            f"{name!r} cannot be read as a program of torch.export: {_kind(error)}"
        ) from error
    given = program.example_inputs
    if given is not None and given[0] and isinstance(given[0][0], torch.Tensor):
        module.example_size = tuple(given[0][0].shape[-2:])  # type: ignore[assignment]
    return module


def _multiple(module: nn.Module) -> int:
    """The number that sides of pictures must be multiples of; 1 if only one size is possible."""
    like = next(module.parameters(), torch.empty(0))
    for multiple in MULTIPLES:
        side = multiple * (MULTIPLES[-1] // multiple + 1)  # an odd multiple, but for the last
        try:
            with torch.no_grad():
                module(torch.zeros(1, 3, side, side).to(like))
        except Exception:  # of code that is not ours
            continue
        return multiple
    return 1


def _kind(error: Exception) -> str:
    return f"{type(error).__name__}: {short_reason(error)}"
