"""What the default strength means across backbones, smoothings and sizes.

    python benchmarks/strength.py --content PHOTO --style PAINTING [--steps 60]

Prints a table in Markdown: the share of the style gained and of the content kept, both in the
optimised network's own errors, as shares of the span between the two pictures.
"""

import argparse
import itertools
from pathlib import Path

import swag

BACKBONES = {
    "swag/resnet": "pretrained",
    "swag/vgg": "pretrained",
    "torchvision/resnet18": "random",
    "torchvision/mobilenet_v2": "random",
    "torchvision/squeezenet1_1": "random",
}
SMOOTHINGS = ("none", "softmax:temperature=auto", "power:exponent=0.5")
SIZES = (96, 192)


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    print("| backbone | weights | smoothing | size | style gained | content kept |")
    print("|---|---|---|---|---|---|")
    for name, weights in BACKBONES.items():
        network = swag.backbones.create(name, weights=weights, edits=("reflect",))
        for smoothing, size in itertools.product(SMOOTHINGS, SIZES):
            result = swag.stylize(
                args.content,
                args.style,
                backbone=network,
                smoothing=smoothing,
                size=size,
                steps=args.steps,
            )
            style, content = result.settings.weights_of_terms
            gained = 1 - result.losses["style"] / style
            kept = 1 - result.losses["content"] / content
            row = (name, weights, smoothing, size, f"{gained:.2f}", f"{kept:.2f}")
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
