"""The pictures of each step: a pure function of the recipe, the sources and the step's number."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from jaxtyping import Float, Int64
from torch import Tensor

from swag_lab.training.data import PictureSource, as_images, random_crop
from swag_lab.training.recipe import Recipe, indices

TrainingBatch = tuple[Float[Tensor, "b 3 h w"], Int64[Tensor, " b"], str]
"""Pictures in sRGB [0, 1], their classes, and the name of the source they are from."""


def batch_of(
    recipe: Recipe, sources: Mapping[str, PictureSource], step: int, steps: int
) -> TrainingBatch:
    """The batch of one step of a training of `steps` steps."""
    details = sorted(set(sources) - {"main"})
    if recipe.phase(step, steps) == "main" or not details:
        name, size, batch, number = "main", recipe.size(step, steps), recipe.batch, step
    else:
        number = step // recipe.detail_every
        name, size, batch = details[number % len(details)], recipe.detail_size, recipe.detail_batch
        number //= len(details)
    source = sources[name]
    chosen = indices(len(source), min(batch, len(source)), number, recipe.seed)
    generator = recipe.generator(step)
    crops = [
        random_crop(source.pictures[i], size, recipe.smallest_area, generator)
        for i in chosen.tolist()
    ]
    return as_images(crops), source.labels[chosen], name


def batches(
    recipe: Recipe,
    sources: Mapping[str, PictureSource],
    first: int,
    steps: int,
    *,
    workers: int = 0,
) -> Iterator[TrainingBatch]:
    """The batches of the steps from `first` on, made ahead by `workers` threads, the same with any.

    Threads help if a GPU trains; on a CPU they would take from the training what they give.
    """
    if workers == 0:
        yield from (batch_of(recipe, sources, step, steps) for step in range(first, steps))
        return
    pending: deque[Future[TrainingBatch]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for step in range(first, steps):
            pending.append(pool.submit(batch_of, recipe, sources, step, steps))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
