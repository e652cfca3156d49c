"""The algorithm: the pixels are moved so that the errors fall, from coarse to fine."""

import logging
import time
from collections.abc import Iterator, Mapping

from torch import Tensor

from swag.errors import OptimizationError
from swag.optimize import Optimizer, State, Step, averaged_image, optimize
from swag.run.checkpoint import Checkpoint
from swag.run.plan import ExecutionPlan
from swag.run.precision import PrecisionPhase, after
from swag.run.run import Run
from swag.run.scale_problem import ScaleProblem
from swag.run.update import Update, calibration_advice

LOG = logging.getLogger("swag")


def stylize_scales(run: Run, checkpoint: Checkpoint | None = None) -> Iterator[Update]:
    """Minimize the weighted errors of content and style over the pixels; yield after each step.

    Gatys et al. 2016, section 2, at each scale; from one scale to the next the picture is enlarged
    (Gatys et al. 2017, section 6). A resumed run continues from its checkpoint, whose update it
    yields first. A run at a strength of 0, without steps, or with a start that no step improves
    yields its start.
    """
    if run.keeps_start:
        yield run.initial_update(steps=run.settings.steps)
        return
    optimizer = run.planner.optimizer(
        run.full_size, checkpoint.state.memory if checkpoint else None
    )
    start_time = time.perf_counter() - (checkpoint.header.seconds if checkpoint else 0.0)
    state: State | None = None
    update: Update | None = None
    for scale in range(checkpoint.header.scale if checkpoint else 0, len(run.scales)):
        if checkpoint is not None:
            state = checkpoint.to(run.device)
        elif state is None or (state.step == 0 and run.settings.start == "content"):
            state = run.initial_state(scale)
        else:
            state = run.upscale_state(state, scale, optimizer)
        for problem, step in minimize_scale(run, scale, state, optimizer, checkpoint=checkpoint):
            state = step.state
            update = run.update(problem, step, time.perf_counter() - start_time)
            yield update
        run.note_early_end(scale, state)
        checkpoint = None
    if update is None:
        yield run.initial_update(steps=0)
    LOG.info(f"the run ended: {update or 'no step lowered the loss of the start'}")


def minimize_scale(
    run: Run,
    scale: int,
    state: State,
    optimizer: Optimizer,
    *,
    checkpoint: Checkpoint | None = None,
) -> Iterator[tuple[ScaleProblem, Step]]:
    """Yield the steps of a scale, each with the problem that it minimizes.

    Passes of the network have one precision in each phase. If memory runs out, the steps go on
    with less of the picture at once. A resumed scale begins with the step of its checkpoint.
    """
    start = None if checkpoint is None else checkpoint.start
    saved_losses = None if checkpoint is None else checkpoint.header.losses
    for phase in run.phases(scale):
        completed = state.step > phase.end
        while not completed:
            execution = run.planner.plan(run.size(scale))
            LOG.info(_phase_message(run, scale, phase, execution, state=state))
            try:
                problem = run.problem(scale, phase, execution, state=state, start=start)
                if saved_losses is not None:
                    yield problem, _resumed_step(run, state, saved_losses)
                    saved_losses = None
                average = run.settings.average
                for step in optimize(state, problem, optimizer, steps=phase.end, ema_decay=average):
                    state, start = step.state, problem.start
                    yield problem, step
                completed = True
                start, state = problem.start, after(state, phase.end)
            except OptimizationError as error:
                raise OptimizationError(
                    f"{error}{calibration_advice(run.settings.weights)}"
                ) from error
            except Exception as error:
                if not run.planner.weaken(execution, error):
                    raise


def _phase_message(
    run: Run, scale: int, phase: PrecisionPhase, execution: ExecutionPlan, *, state: State
) -> str:
    """The log message at the beginning of a phase."""
    rows, columns = execution.size
    tiles = f"in tiles of {execution.tile} pixels" if execution.tile else "at once"
    return (
        f"scale {scale + 1} of {len(run.scales)}: {columns} x {rows} pixels {tiles}, steps "
        f"{state.step + 1} to {phase.end}, {phase.precision} on {run.device}"
    )


def _resumed_step(run: Run, state: State, losses: Mapping[str, float]) -> Step:
    """The step after which a run was interrupted."""
    image: Tensor = averaged_image(state, run.settings.average)
    return Step(state.step - 1, image, dict(losses), state)
