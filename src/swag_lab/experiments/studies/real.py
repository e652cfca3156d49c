"""Study 9: the paper's claim on networks that were trained at full scale, given by their files.

    swag experiment real --network NAME=BACKBONE,WEIGHTS ... --judge NAME=BACKBONE,WEIGHTS ...

Which layers serve a network, whether a residual one at its best layers is worse than a plain one,
and what smoothing does to either: with Gram matrices, as in the paper, and with `w2`, the default.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from swag_lab.evaluation.networks import Network
from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import front_panels, pooled, rows_of, sheet, verdict
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.given import (
    AUTHORS,
    PLAIN,
    RESIDUAL,
    SHALLOW,
    best,
    layer_sets,
    with_layers,
    with_random_weights,
)
from swag_lab.experiments.studies.pairs import COMMON
from swag_lab.experiments.studies.shape import AT_TEMPERATURE_1, AUTO, SCRIPT
from swag_lab.experiments.study import Plan, Section, Study

SMOOTHINGS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "SWAG": ({"smoothing": AUTO}, {}),
    "one weight, nothing": ({}, {"weighed_by": COMMON}),
    "one weight, SWAG": ({"smoothing": AUTO}, {"weighed_by": ("paper", AUTO)}),
    "one weight, SWAG at T = 1": (
        {"smoothing": AT_TEMPERATURE_1},
        {"weighed_by": ("paper", AT_TEMPERATURE_1)},
    ),
    "one weight, only weights": ({}, {"weighed_by": ("paper", AUTO)}),
    "one weight, only shape": ({"smoothing": AUTO}, {"weighed_by": COMMON}),
    SCRIPT: ({}, {}),
    "SWAG at T = 1": ({"smoothing": AT_TEMPERATURE_1}, {}),
    "SWAG, deep layers": ({}, {}),
    "SWAG at 8 sd": ({"smoothing": "softmax:temperature=8"}, {"deviations": True}),
    "softmax over channels": ({"smoothing": "channel-softmax:temperature=auto"}, {}),
    "square root": ({"smoothing": "power:exponent=0.5"}, {}),
}
"""Settings and options; without `one weight`, errors of layers are measured in spans. What smooths
or scales the deep layers alone depends on the network: see `_smoothing_jobs`."""

CORE, SHAPE, OTHERS = tuple(SMOOTHINGS)[:5], tuple(SMOOTHINGS)[5:8], tuple(SMOOTHINGS)[8:]
"""Smoothings also tried with random weights and at the authors' layers; those that take SWAG apart
under one weight; the rest."""

W2 = {"style_loss": "bures", "balance": 1.0}
"""The style term of the default method."""


def real_label(network: Network, *parts: str) -> str:
    """The name of a variant on a network."""
    return ": ".join((network.name, *parts))


def jobs(plan: Plan) -> list[StudyJob]:
    """Smoothings under Gram matrices, at random weights, at the authors' layers; layers under w2.

    The most decisive questions come first, each for all networks before the next, so that an
    interrupted run has answers that can be compared. Later questions run on half of the units, as
    the networks are slow.
    """
    return [job for question in _QUESTIONS for n in plan.given for job in question(plan, n)]


def _core_smoothings(plan: Plan) -> tuple[str, ...]:
    return CORE[:2] if plan.quick else CORE


def _core_jobs(plan: Plan, network: Network) -> Iterator[StudyJob]:
    for smoothing in _core_smoothings(plan):
        yield from _smoothing_jobs(plan, network, best(network), smoothing)


def _shape_jobs(plan: Plan, network: Network) -> Iterator[StudyJob]:
    for smoothing in () if plan.quick else SHAPE:
        yield from _smoothing_jobs(plan, network, best(network), smoothing)


def _random_jobs(plan: Plan, network: Network) -> Iterator[StudyJob]:
    for smoothing in _core_smoothings(plan) if network.large else ():
        yield from _smoothing_jobs(
            plan, with_random_weights(network), best(network), smoothing, units=plan.half
        )


def _other_jobs(plan: Plan, network: Network) -> Iterator[StudyJob]:
    for smoothing in () if plan.quick else OTHERS:
        yield from _smoothing_jobs(plan, network, best(network), smoothing, units=plan.half)


def _w2_jobs(plan: Plan, network: Network) -> Iterator[StudyJob]:
    settings = {**W2, "smoothing": AUTO}
    yield from _front_jobs(plan, network, best(network), "w2", settings=W2)
    yield from _front_jobs(plan, network, best(network), "w2 + SWAG", settings=settings)
    for name in list(layer_sets(network))[1:]:
        yield from _front_jobs(plan, network, name, "w2", settings=W2, units=plan.half)


def _further_layer_jobs(plan: Plan, network: Network) -> Iterator[StudyJob]:
    for name in _smoothed_layer_sets(network)[1:]:
        for smoothing in _core_smoothings(plan):
            yield from _smoothing_jobs(plan, network, name, smoothing, units=plan.half)


_QUESTIONS = (_core_jobs, _shape_jobs, _random_jobs, _other_jobs, _w2_jobs, _further_layer_jobs)


def _smoothed_layer_sets(network: Network) -> list[str]:
    """The sets of layers that smoothing is tried on: the best, the authors', the preset's."""
    return [name for name in layer_sets(network) if name in {best(network), AUTHORS, SHALLOW}]


def _smoothing_jobs(
    plan: Plan, network: Network, layer_set: str, smoothing: str, *, units: int | None = None
) -> list[StudyJob]:
    settings, options = SMOOTHINGS[smoothing]
    deep_layers = ",".join(_deep_layers(network, layer_set))
    if smoothing == SCRIPT:
        options = {"weighed_by": ("released-code", f"scale:alpha=0.001@{deep_layers}")}
    elif smoothing == "SWAG, deep layers":
        settings = {"smoothing": f"{AUTO}@{deep_layers}"}
    return _front_jobs(
        plan, network, layer_set, smoothing, settings=settings, units=units, **options
    )


def _deep_layers(network: Network, layer_set: str) -> tuple[str, ...]:
    """The style layers of a ResNet's last two stages, or the last two style layers."""
    style, _ = layer_sets(network)[layer_set]
    if not style:
        return network.create(0).style_layers[-2:]
    return tuple(layer for layer in style if layer.startswith(("layer3", "layer4")))


def _front_jobs(
    plan: Plan,
    network: Network,
    layer_set: str,
    variant: str,
    *,
    settings: Mapping[str, Any],
    **options: Any,
) -> list[StudyJob]:
    network_at_layers = with_layers(network, layer_set)
    label = real_label(network, layer_set, variant)
    return plan.front_jobs(label, network_at_layers, {**plan.work, **settings}, **options)


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Architectures, smoothing of each network, layers; nothing if no network was given."""
    if not plan.given:
        return []
    return [
        _network_section(plan, runs),
        *_smoothing_sections(plan, runs),
        *_layer_sections(plan, runs),
    ]


def _layer_sections(plan: Plan, runs: list[StudyRun]) -> Iterator[Section]:
    for network in plan.given:
        if AUTHORS not in layer_sets(network):
            continue
        names = [real_label(network, name, "w2") for name in layer_sets(network)]
        base = real_label(network, AUTHORS, "w2")
        pairs = [(name, base) for name in names if name != base]
        yield Section(
            f"Layers of {network.name}",
            "Nothing: the paper reads one set of layers of each network.",
            "Each set against the layers that the authors' script reads, under `w2`.",
            "see the p of each row",
            table=rows_of(runs, pairs),
            figure=sheet(plan, runs, names),
        )


def _network_section(plan: Plan, runs: list[StudyRun]) -> Section:
    """Every network against the first plain one that was given, or the first."""
    plain = [n for n in plan.given if layer_sets(n) is PLAIN] or list(plan.given)
    pairs = [
        (real_label(network, name, loss), real_label(plain[0], best(plain[0]), loss))
        for network in plan.given
        if network is not plain[0]
        for name in dict.fromkeys((best(network), *layer_sets(network)))
        for loss in (*CORE, "w2")
    ]
    residual = [n for n in plan.given if layer_sets(n) is RESIDUAL]
    shallow = {real_label(n, SHALLOW, "w2") for n in residual}
    variants = dict.fromkeys(name for pair in pairs for name in pair if name.endswith(": w2"))
    return Section(
        "Residual against plain, at full scale",
        "A residual network is much worse than VGG.",
        verdict(
            pooled(runs, [pair for pair in pairs if pair[0] in shallow]),
            "At its best layers the residual network is better than the plain one",
            "At its best layers the residual network is worse than the plain one",
        )
        if residual
        else "No residual network was given.",
        "see the p of each row",
        table=rows_of(runs, pairs),
        figure=figures.draw_fronts(front_panels(runs, {"w2": tuple(variants)}) or {"": {}}),
    )


def _smoothing_sections(plan: Plan, runs: list[StudyRun]) -> Iterator[Section]:
    for network in plan.given:
        yield _smoothing_section(plan, runs, network)
        if network.large:
            yield _smoothing_section(plan, runs, with_random_weights(network))


def _smoothing_section(plan: Plan, runs: list[StudyRun], network: Network) -> Section:
    names = _smoothed_layer_sets(network)
    pairs = [
        (real_label(network, name, s), real_label(network, name, baseline))
        for name in names
        for s in SMOOTHINGS
        for baseline in [_baseline(s)]
        if s != baseline
    ]
    pairs += [
        (real_label(network, name, "nothing"), real_label(network, name, "one weight, nothing"))
        for name in names
    ]
    pairs.append(
        (
            real_label(network, best(network), "w2 + SWAG"),
            real_label(network, best(network), "w2"),
        )
    )
    variants = {run.job.variant for run in runs}
    pairs = [pair for pair in pairs if variants.issuperset(pair)]
    gap = pooled(runs, [pair for pair in pairs if pair[0].endswith(": SWAG")])
    return Section(
        f"Smoothing of {network.name}",
        "SWAG improves a residual network, and does little for VGG.",
        verdict(gap, "SWAG helps", "SWAG hurts"),
        "see the p of each row",
        table=rows_of(runs, pairs),
        figure=sheet(
            plan, runs, [real_label(network, best(network), s) for s in (*CORE, "SWAG at T = 1")]
        ),
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
