"""The provenance of a run, and the metadata in its picture.

A picture carries its settings under `swag`, the rest of what is needed to make it again under
`swag-run`, both JSON, and a readable line under `parameters`, as other programs write it. No file's
path is among them.
"""

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from swag.config import Settings
from swag.config.load import brief
from swag.errors import ImageError, SettingsError, SwagError
from swag.image import read_metadata
from swag.image.metadata import check_texts
from swag.spec import is_code
from swag.types import Precision

Task = Literal["stylize", "texture", "reconstruct"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LONGEST_NAME, MOST_FALLBACKS, MOST_LOSSES = 200, 64, 1024
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Provenance(BaseModel):
    """What a run depends on beside its settings: pictures and checkpoints record it.

    `inputs` and `weights` are SHA-256. `precision` is what the setting came to: a run that is
    resumed or repeated computes in the same precision, on any device.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task
    versions: dict[Name, Name] = Field(max_length=16)
    inputs: dict[Name, Sha256] = Field(max_length=1024)
    weights: Sha256
    precision: Precision = "float32"


class PictureProvenance(Provenance):
    """How a picture was made, beside its settings.

    `step` counts the steps done, of the settings' `steps`; `fallbacks` name each departure from the
    settings, as for lack of memory.
    """

    step: int = Field(ge=0, le=1_000_000)
    finished: bool
    fallbacks: tuple[Name, ...] = Field((), max_length=MOST_FALLBACKS)
    losses: dict[Name, Number] = Field(max_length=MOST_LOSSES)

    @classmethod
    def of(
        cls,
        run: Provenance,
        *,
        step: int,
        finished: bool,
        losses: Mapping[str, float],
        fallbacks: tuple[str, ...] = (),
    ) -> "PictureProvenance":
        """The provenance of a picture after `step` steps; fallbacks and losses are cut to fit."""
        return cls(
            **run.model_dump(),
            step=step,
            finished=finished,
            fallbacks=fitting_fallbacks(fallbacks),
            losses=fitting_losses(losses),
        )


@dataclass(frozen=True)
class Recorded:
    """The settings and the provenance in a picture; `name` is the picture's."""

    name: str
    settings: Settings
    made: PictureProvenance

    @property
    def precision(self) -> Precision:
        """Precision of the passes before the last steps."""
        return self.made.precision

    def settings_with(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of the picture with `overrides`.

        SettingsError if the weights came from a file that has to be given, or the network is
        code, which no picture may make run.
        """
        check_named(self.name, self.settings, overrides)
        values = {**self.settings.model_dump(mode="json"), **overrides}
        named = values["weights"] == "pretrained" or values["weights"].startswith("random")
        if not named and "weights" not in overrides:
            raise SettingsError(
                f"{self.name} was made with weights from the file {values['weights']!r}; give this "
                "file with --weights"
            )
        return values

    def check_same(self, task: Task, settings: Settings, inputs: Mapping[str, str]) -> None:
        """Refuse another task, or other inputs than those of the picture: SettingsError."""
        if task != self.made.task:
            raise SettingsError(
                f"{self.name} was made by `swag {self.made.task}`; use that, not `{task}`"
            )
        all_names = self.made.inputs.keys() | inputs.keys()
        missing = sorted(all_names - inputs.keys())
        added = sorted(all_names - self.made.inputs.keys())
        changed = sorted(
            n for n in all_names.difference(missing, added) if inputs[n] != self.made.inputs[n]
        )
        changes = [
            f"{word} {', '.join(names)}"
            for word, names in (("without", missing), ("with another", changed), ("with", added))
            if names
        ]
        if changes:
            raise SettingsError(
                f"the result would differ from {self.name}: it would be made "
                f"{' and '.join(changes)}; give the files that {self.name} was made from (it holds "
                "their SHA-256)"
            )

    def check_weights(self, weights: str) -> None:
        """Refuse other weights or layers than the picture's, by their SHA-256: SettingsError."""
        if weights != self.made.weights:
            raise SettingsError(
                f"the result would differ from {self.name}: the weights of {self.settings.backbone}"
                " are not the same, or other layers are read (the SHA-256 of both differs)"
            )

    @property
    def reproducibility_warnings(self) -> list[str]:
        """Why a repeated run may give another picture all the same."""
        current = versions()
        different = [f"{k} {v}" for k, v in self.made.versions.items() if current.get(k) != v]
        reasons = [f"it was made with {' and '.join(different)}"] if different else []
        return reasons + [f"its run fell back: {text}" for text in self.made.fallbacks]


def check_named(name: str, settings: Settings, overrides: Mapping[str, Any]) -> None:
    """Refuse to run code because a file names it: the user has to. SettingsError."""
    if is_code(settings.backbone) and "backbone" not in overrides:
        raise SettingsError(
            f"{name} was made with the network {settings.backbone!r}, which is code that SWAG "
            "would run; if you trust this code, give it with --backbone (backbone=...)"
        )


def recorded(path: str | os.PathLike[str]) -> Recorded:
    """The settings and provenance in a picture's metadata.

    Raises:
        ImageError: the picture cannot be read.
        SettingsError: it has no such metadata, or of another version, or its run was interrupted.
    """
    name = str(path)
    settings, made = from_texts(read_metadata(path), name)
    if not made.finished:
        raise SettingsError(
            f"{name} is unfinished: its run was interrupted at step {made.step} of "
            f"{settings.steps}; resume from its checkpoint, or start a new run"
        )
    return Recorded(name, settings, made)


def versions() -> dict[str, str]:
    """The versions on which the bits of a picture depend."""
    from swag import __version__

    return {"swag": __version__, "torch": str(torch.__version__)}


def fitting_fallbacks(fallbacks: Sequence[str]) -> tuple[str, ...]:
    """The sentences, each cut to the length of a `Name`, and no more than are recorded."""
    sentences = tuple(_shorten(sentence) for sentence in fallbacks)
    if len(sentences) <= MOST_FALLBACKS:
        return sentences
    omitted = len(sentences) - MOST_FALLBACKS + 1
    return (*sentences[: MOST_FALLBACKS - 1], f"and {omitted} more")


def fitting_losses(losses: Mapping[str, float]) -> dict[str, float]:
    """The losses that can be recorded: at most MOST_LOSSES, all finite, their names cut."""
    finite = ((_shorten(name), value) for name, value in losses.items() if math.isfinite(value))
    return dict(islice(finite, MOST_LOSSES))


def metadata_texts(
    settings: Settings, record: PictureProvenance | None, size: tuple[int, int]
) -> dict[str, str]:
    """The texts for the metadata of a picture of `size` (width, height), by name.

    Texts too long for a picture are left out, the losses first, with a warning: a picture is never
    lost because of its metadata.
    """
    texts = _texts(settings, record, size)
    if _fits(texts):
        return texts
    without_losses = None if record is None else record.model_copy(update={"losses": {}})
    candidates = (_texts(settings, without_losses, size), {"parameters": texts["parameters"]})
    fitting = next((candidate for candidate in candidates if _fits(candidate)), {})
    logging.getLogger("swag").warning(
        "how the picture was made is too long for its file: it holds "
        f"{' and '.join(fitting) or 'none of it'}{' without losses' if 'swag' in fitting else ''}"
    )
    return fitting


def _fits(texts: Mapping[str, str]) -> bool:
    try:
        check_texts(texts)
    except ImageError:
        return False
    return True


def _texts(
    settings: Settings, record: PictureProvenance | None, size: tuple[int, int]
) -> dict[str, str]:
    values = without_paths(settings).model_dump(mode="json")
    texts = {"parameters": _summary(settings, record, size), "swag": _json(values)}
    return texts if record is None else {**texts, "swag-run": _json(record.model_dump(mode="json"))}


def from_texts(texts: Mapping[str, str], name: str) -> tuple[Settings, PictureProvenance]:
    """The settings and provenance in the texts of `metadata_texts`.

    Raises:
        SettingsError: the texts are missing, damaged or of another version.
    """
    if not {"swag", "swag-run"} <= texts.keys():
        raise SettingsError(
            f"{name} holds no settings; expected a picture that swag wrote, with its metadata"
        )
    try:
        record = PictureProvenance.model_validate_json(texts["swag-run"])
        return Settings.model_validate_json(texts["swag"]), record
    except (ValidationError, SwagError) as error:
        raise SettingsError(
            f"{name} holds settings that this version of SWAG cannot read: {brief(error)}"
        ) from error


def is_unfinished(path: str | os.PathLike[str]) -> bool:
    """Whether a picture's metadata say that its run was interrupted."""
    try:
        return not from_texts(read_metadata(path), str(path))[1].finished
    except SwagError:
        return False


def _shorten(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_NAME else f"{sentence[: LONGEST_NAME - 4]} ..."


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, allow_nan=False)


def without_paths(settings: Settings) -> Settings:
    """The settings, with paths of files of weights or code reduced to their names."""
    files = ("weights", "backbone") if is_code(settings.backbone) else ("weights",)
    return settings.model_copy(update={n: _file_name(getattr(settings, n)) for n in files})


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _summary(settings: Settings, record: PictureProvenance | None, size: tuple[int, int]) -> str:
    """The task, and a line of names and values, named as other programs name them."""
    values: dict[str, object] = {
        "Steps": settings.steps,
        "Sampler": settings.optimizer,
        "Seed": settings.seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model": without_paths(settings).backbone,
        "Model hash": record.weights[:10] if record else None,
        "Method": settings.method,
        "Smoothing": settings.smoothing,
        "Strength": settings.strength,
        "Version": f"swag {versions()['swag']}",
    }
    line = ", ".join(f"{name}: {value}" for name, value in values.items() if value is not None)
    return f"{record.task if record else 'swag'}\n{line}"
