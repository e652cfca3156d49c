"""The pictures of a trial: without a word of what made them, and the damaged one of a catch."""

import io
import random
from pathlib import Path

import torch

from swag.image import Picture, read
from swag.web.pairs import Results
from swag.web.study import DAMAGED, Trial

SHOWN = 768
"""Long side in pixels of the pictures of a pair."""

BLOCKS = 8
"""Rows and columns of blocks that change their places in a damaged picture."""


def shown_picture(results: Results, trial: Trial, method: str) -> bytes:
    """The picture of a trial by this method, as PNG: the pixels alone, whatever its file says."""
    methods = results.pictures[trial.unit]
    other = trial.right if trial.left == method else trial.left
    path: Path = methods[other if method == DAMAGED else method]
    picture = read(path, size=SHOWN)
    if method == DAMAGED:
        picture = damaged(picture, seed=trial.id)
    stream = io.BytesIO()
    Picture(picture.pixels).pil().save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def damaged(picture: Picture, seed: str) -> Picture:
    """The picture with its blocks in a random order: whoever looks prefers the whole one."""
    height, width = picture.pixels.shape[1:]
    rows, columns = max(1, height // BLOCKS), max(1, width // BLOCKS)
    whole = picture.pixels.clone()
    places = [(i, j) for i in range(height // rows) for j in range(width // columns)]
    order = random.Random(seed).sample(places, len(places))
    for (i, j), (k, m) in zip(places, order, strict=True):
        block = picture.pixels[:, k * rows : (k + 1) * rows, m * columns : (m + 1) * columns]
        whole[:, i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] = block
    return Picture(torch.clamp(whole, 0, 1))
