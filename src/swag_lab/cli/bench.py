"""swag bench: what a step costs here, against the least that it can, and against others."""

from typing import Annotated

import typer

from swag.cli import options
from swag.cli.table import show

USUAL = ("swag/resnet", "torchvision/resnet50", "torchvision/vgg19")

Networks = Annotated[
    list[str] | None,
    options.option(
        "--backbone -b NAME",
        "Network to measure. Repeat the option for several. Networks of torchvision and timm "
        "get random weights.",
    ),
]
Rounds = Annotated[
    int, options.option("--rounds", "Measurements of each side.", default=True, min=1)
]
Pixels = Annotated[
    int, options.option("--size", "Side of the pictures in pixels.", default=True, min=32)
]
DeviceName = Annotated[str, options.option("--device NAME", "auto, cpu, cuda ...", default=True)]


def bench(
    networks: Networks = None,
    size: Pixels = 512,
    rounds: Rounds = 5,
    device: DeviceName = "auto",
    json: options.Json = False,
) -> None:
    """Time a step of each optimizer and of published scripts, and compare with the least possible.

    The least possible, `floor`, is one pass of the network forward and back. All sides are timed
    in turns in one process; each ratio is the median over the rounds. On a CPU, seconds are CPU
    time.
    """
    from swag.run import device_of
    from swag_lab.bench import in_turns, machine, sides

    torch_device = device_of(device)
    if not json:
        typer.echo(", ".join(f"{key} {value}" for key, value in machine(torch_device).items()))
    rows: list[dict[str, object]] = []
    for name in networks or USUAL:
        timings = in_turns(sides(name, size, torch_device), rounds=rounds, device=torch_device)
        for side, timing in timings.items():
            ratio = timing.over(timings["floor"])
            rows.append(
                {
                    "network": name,
                    "side": side,
                    "seconds": round(timing.median, 4),
                    "over floor": round(ratio.median, 3),
                    "lowest": round(min(ratio.seconds), 3),
                    "highest": round(max(ratio.seconds), 3),
                }
            )
    show([{**machine(torch_device), **row} for row in rows] if json else rows, as_json=json)
