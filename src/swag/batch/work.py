"""One job of a batch: its network, its checkpoint, its picture."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swag import backbones
from swag.batch.jobs import Job
from swag.batch.manifest import JobResult, JobState
from swag.config import Settings, one_spelling, settings
from swag.errors import CheckpointError, SettingsError, SwagError
from swag.files import check_name, claim
from swag.image import check_writable
from swag.run import (
    CHECKPOINT,
    SECONDS,
    PictureFile,
    Update,
    iterate,
    load_checkpoint,
    renamed_warning,
    run_to_file,
)

OnUpdate = Callable[[Update], object]
Stopping = Callable[[], bool]


@dataclass
class Batch:
    """The folder and the settings of a batch; keeps the network of the last job.

    `overrides` are settings of all jobs; those of a job win over them.
    """

    folder: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    every: float = SECONDS
    metadata: bool = True
    bits: int = 8
    max_pixels: int | None = None
    _networks: dict[str, backbones.Backbone] = field(default_factory=dict, repr=False)
    _hashes: dict[Path, str] = field(default_factory=dict, repr=False)

    def settings(self, job: Job) -> Settings:
        """The settings of a job. SettingsError if they are not right."""
        return settings(**{**self.overrides, **one_spelling(job.settings)})

    def key(self, job: Job, inputs: Mapping[str, str] | None = None) -> str:
        """A SHA-256 of a job's settings, bits and file hashes, empty if a file cannot be read.

        `inputs` are the SHA-256 of the pictures as decoded, if they were, by name.
        """
        files = inputs or {name: self._hash(path) for name, path in job.files.items()}
        values = [files, self.settings(job).model_dump(mode="json"), self.bits]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def path(self, job: Job) -> Path:
        """The path of a job's picture."""
        return self.folder / job.output

    def file(self, job: Job) -> PictureFile:
        """The picture of a job, with its checkpoint."""
        return PictureFile(
            self.path(job),
            overwrite=self.overwrite,
            every=self.every,
            metadata=self.metadata,
            bits=self.bits,
        )

    def make(self, job: Job, on_update: OnUpdate, should_stop: Stopping) -> JobResult:
        """Make the picture of a job, or continue from its checkpoint if there is one.

        An error is the result of this job alone: others go on.
        """
        start_time = time.perf_counter()
        key = error = ""
        try:
            key = self._make_picture(job, on_update, should_stop)
            state: JobState = "done" if key else "interrupted"
        except SwagError as refused:
            state, error = "failed", str(refused)
        except Exception as defect:  # of SWAG, or of memory: other jobs are not to suffer for it
            message = " ".join(str(defect).split())[:300]
            state, error = "failed", f"{type(defect).__name__}: {message}"
        seconds = round(time.perf_counter() - start_time, 3)
        return JobResult(output=job.output, state=state, key=key, error=error, seconds=seconds)

    def _make_picture(self, job: Job, on_update: OnUpdate, should_stop: Stopping) -> str:
        """Make the picture; the key of what it was made from, empty if the run was stopped."""
        file = self.file(job)
        path = file.path
        check_name(path, CHECKPOINT)
        path.parent.mkdir(parents=True, exist_ok=True)
        check_writable(path, overwrite=True, bits=self.bits)
        with claim(path):
            updates = self._updates(job, file.checkpoint)
            saved = run_to_file(updates, file, on_update=on_update, should_stop=should_stop)
        if saved is None:
            return ""
        if saved.path != path:
            raise SettingsError(renamed_warning(path, saved.path))
        provenance = saved.last_update.provenance
        return self.key(job, None if provenance is None else provenance.inputs)

    def _updates(self, job: Job, checkpoint: Path) -> Any:
        chosen = self.settings(job)
        overrides = {
            **self.overrides,
            **one_spelling(job.settings),
            **job.pictures,
            "max_pixels": self.max_pixels,
            "backbone": self._network(chosen),
        }
        styles = list(job.styles)
        try:
            earlier = load_checkpoint(checkpoint) if checkpoint.exists() else None
        except CheckpointError:  # damaged: the job is done anew
            checkpoint.unlink()
            earlier = None
        try:
            return iterate(job.content, styles, resume=earlier, **overrides)
        except CheckpointError as error:
            if not self.overwrite:
                raise CheckpointError(
                    f"{error}; --overwrite replaces the checkpoint, another --out keeps it"
                ) from error
        checkpoint.unlink()
        return iterate(job.content, styles, **overrides)

    def _network(self, chosen: Settings) -> backbones.Backbone | str:
        """The network of these settings, made once; its name if it depends on the pictures."""
        if chosen.weights.endswith("+calibrated"):
            return chosen.backbone
        key = repr((chosen.backbone, chosen.weights, chosen.edits, chosen.seed))
        if key not in self._networks:
            self._networks = {}  # one at a time: they may be large
            self._networks[key] = backbones.create(
                chosen.backbone, weights=chosen.weights, seed=chosen.seed, edits=chosen.edits
            )
        return self._networks[key]

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            try:
                self._hashes[path] = backbones.sha256(path) if path.is_file() else ""
            except OSError:
                self._hashes[path] = ""
        return self._hashes[path]
