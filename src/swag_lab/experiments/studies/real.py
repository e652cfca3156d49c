"""Study 9: the paper's claim on networks that were trained at full scale, given by their files.

    swag experiment real --network NAME=BACKBONE,WEIGHTS ... --judge NAME=BACKBONE,WEIGHTS ...

Which layers serve a network, whether a residual one at its best layers is worse than a plain one,
and what smoothing does to either: with Gram matrices, as in the paper, and with `w2`, the default.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from swag_lab.evaluation.networks import Network
from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import effects, front_panels, pooled, rows_of, sheet, words
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import COMMON
from swag_lab.experiments.studies.shape import AUTO, ONE
from swag_lab.experiments.study import Plan, Section, Study

LayerNames = tuple[tuple[str, ...], tuple[str, ...]]
"""Style layers and content layers."""

_STAGES = ("relu", "layer1", "layer2", "layer3", "layer4")
_EIGHT = (
    "relu",
    "layer1.0",
    "layer1.2",
    "layer2.0",
    "layer2.3",
    "layer3.0",
    "layer3.2",
    "layer3.5",
)
_TEN = (*_EIGHT, "layer4.0", "layer4.2")

RESIDUAL: Mapping[str, LayerNames] = {
    "authors' layers": (_STAGES, ("layer3",)),
    "stages, content at two": (_STAGES, ("layer1.2", "layer2.3")),
    "stages without the last": (_STAGES[:-1], ("layer1.2", "layer2.3")),
    "firsts of stages": (
        ("relu", *(f"layer{i}.0" for i in (1, 2, 3, 4))),
        ("layer1.2", "layer2.3"),
    ),
    "eight layers": (_EIGHT, ("layer2.3",)),
    "eight layers, content at two": (_EIGHT, ("layer1.2", "layer2.3")),
    "ten layers, content at two": (_TEN, ("layer1.2", "layer2.3")),
}
"""Layers of ResNets with 50 layers. The paper's authors read the stem and the end of each stage."""

PLAIN: Mapping[str, LayerNames] = {
    "preset": ((), ()),
    "authors' layers": ((), ("features.20",)),
}
"""Layers of VGG-16 and networks with a preset: five style layers, content at relu4_2 alone."""

BEST = "ten layers, content at two"

SMOOTHINGS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "SWAG": ({"smoothing": AUTO}, {}),
    "SWAG at T = 1": ({"smoothing": ONE}, {}),
    "softmax over channels": ({"smoothing": "channel-softmax:temperature=auto"}, {}),
    "square root": ({"smoothing": "power:exponent=0.5"}, {}),
    "one weight, nothing": ({}, {"weighed_by": COMMON}),
    "one weight, SWAG": ({"smoothing": AUTO}, {"weighed_by": ("paper", AUTO)}),
    "one weight, SWAG at T = 1": ({"smoothing": ONE}, {"weighed_by": ("paper", ONE)}),
}
"""Settings and options; without `one weight`, errors of layers are measured in spans."""

W2 = {"style_loss": "bures", "balance": 1.0}
"""The style term of the default method."""


def layer_sets(network: Network) -> Mapping[str, LayerNames]:
    """The sets of layers to try on a network."""
    return PLAIN if "vgg" in network.backbone.rpartition("/")[2].lower() else RESIDUAL


def best(network: Network) -> str:
    """The set that smoothing is tried on, beside the authors'."""
    return "preset" if layer_sets(network) is PLAIN else BEST


def real_label(network: Network, *parts: str) -> str:
    """The name of a variant on a network."""
    return ": ".join((network.name, *parts))


def drawn(network: Network) -> Network:
    """The same network with random weights: r-NAME."""
    return replace(network, name=f"r-{network.name.removeprefix('p-')}", weights="random")


def jobs(plan: Plan) -> list[StudyJob]:
    """The sets of layers under w2; smoothings under Gram matrices; random weights.

    In the order of what they decide, and the dear ones last, so that an interrupted run has most
    of its answers.
    """
    networks = sorted(plan.given, key=lambda network: layer_sets(network) is PLAIN)
    return [job for network in networks for job in _of_network(plan, network)]


def _of_network(plan: Plan, network: Network) -> Iterator[StudyJob]:
    sets = layer_sets(network)
    # Half of the units if a network is dear; the study of smoothing needs them all.
    for name in sets:
        yield from _front(plan, network, name, "w2", settings=W2)
    for smoothing in list(SMOOTHINGS)[: 2 if plan.quick else None]:
        for name in dict.fromkeys((best(network), "authors' layers")):
            yield from _smoothed(plan, network, name, smoothing)
    for smoothing in ("nothing", "SWAG"):
        yield from _smoothed(plan, drawn(network), best(network), smoothing)


def _smoothed(plan: Plan, network: Network, name: str, smoothing: str) -> list[StudyJob]:
    settings, options = SMOOTHINGS[smoothing]
    return _front(plan, network, name, smoothing, settings=settings, **options)


def _front(
    plan: Plan,
    network: Network,
    name: str,
    variant: str,
    *,
    settings: Mapping[str, Any],
    **options: Any,
) -> list[StudyJob]:
    style, content = layer_sets(network)[name]
    read = replace(network, style_layers=style, content_layers=content)
    work = {"steps": plan.steps, "scales": 2}
    return plan.front(real_label(network, name, variant), read, {**work, **settings}, **options)


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Layers, architectures, smoothing; nothing if no network was given."""
    if not plan.given:
        return []
    return [*_of_layers(plan, runs), _between_networks(plan, runs), *_of_smoothing(plan, runs)]


def _of_layers(plan: Plan, runs: list[StudyRun]) -> Iterator[Section]:
    for network in plan.given:
        names = [real_label(network, name, "w2") for name in layer_sets(network)]
        base = real_label(network, "authors' layers", "w2")
        pairs = [(name, base) for name in names if name != base]
        yield Section(
            f"Layers of {network.name}",
            "Nothing: the paper reads one set of layers of each network.",
            "Each set against the layers that the authors' script reads, under `w2`.",
            "see the p of each row",
            table=rows_of(runs, pairs),
            figure=sheet(plan, runs, names),
        )


def _between_networks(plan: Plan, runs: list[StudyRun]) -> Section:
    plain = [n for n in plan.given if layer_sets(n) is PLAIN]
    residual = [n for n in plan.given if layer_sets(n) is RESIDUAL]
    pairs = [
        (real_label(r, name, loss), real_label(p, "preset", loss))
        for r in residual
        for p in plain
        for name in (BEST, "authors' layers")
        for loss in ("w2", "nothing", "SWAG")
    ]
    at_best = pooled(runs, [pair for pair in pairs if BEST in pair[0] and pair[0].endswith("w2")])
    variants = [name for pair in pairs for name in pair if name.endswith("w2")]
    return Section(
        "Residual against plain, at full scale",
        "A residual network is much worse than VGG.",
        words(
            at_best,
            "At its best layers the residual network is better than the plain one",
            "At its best layers the residual network is worse than the plain one",
        ),
        "see the p of each row",
        table=rows_of(runs, pairs),
        figure=figures.draw_fronts(
            front_panels(runs, {"w2": tuple(dict.fromkeys(variants))}) or {"": {}}
        ),
    )


def _of_smoothing(plan: Plan, runs: list[StudyRun]) -> Iterator[Section]:
    for network in plan.given:
        chosen = dict.fromkeys((best(network), "authors' layers"))
        pairs = [
            (real_label(network, name, s), real_label(network, name, baseline))
            for name in chosen
            for s in SMOOTHINGS
            for baseline in [_baseline(s)]
            if s != baseline
        ]
        mended = pooled(runs, [pair for pair in pairs if pair[0].endswith(": SWAG")])
        at_random = real_label(drawn(network), best(network), "")
        pairs.append((f"{at_random}SWAG", f"{at_random}nothing"))
        yield Section(
            f"Smoothing of {network.name}",
            "SWAG improves a residual network, and does little for VGG.",
            words(mended, "SWAG helps", "SWAG hurts"),
            "see the p of each row",
            table=rows_of(runs, pairs),
            figure=effects(runs, pairs),
        )


def _baseline(smoothing: str) -> str:
    return "one weight, nothing" if smoothing.startswith("one weight") else "nothing"


STUDY = Study(
    "real",
    "9. Networks trained at full scale",
    "Does what holds of small networks hold of VGG-16 and ResNet-50, and which layers serve them?",
    jobs,
    sections=sections,
    in_paper=False,
)
