"""Study 8a: does smoothing act by the shape of activations, or by how much each layer counts?

Under one common weight, as in the paper, smoothing changes both. Four variants take them apart:

    activations as they are, layers weighed as they are         nothing
    smoothed,                layers weighed as smoothed         SWAG
    activations as they are, layers weighed as smoothed         only the weights
    smoothed,                layers weighed as they are         only the shape

Errors of layers measured in their own spans weigh all layers alike, with either shape.
"""

from typing import Any

from swag_lab.evaluation.networks import Network
from swag_lab.experiments.comparisons import effects, picture_section, pooled, rows_of, verdict
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import COMMON, P_DEEP, P_RESNET, R_DEEP, R_RESNET50
from swag_lab.experiments.study import Plan, Section

AUTO = "softmax:temperature=auto"
AT_TEMPERATURE_1 = "softmax:temperature=1"
AS_PLAIN = {"weighed_by": COMMON}

VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one weight, nothing": ({}, AS_PLAIN),
    "one weight, SWAG": ({"smoothing": AUTO}, {"weighed_by": ("paper", AUTO)}),
    "one weight, only weights": ({}, {"weighed_by": ("paper", AUTO)}),
    "one weight, only shape": ({"smoothing": AUTO}, AS_PLAIN),
    "one weight, SWAG at T = 1": (
        {"smoothing": AT_TEMPERATURE_1},
        {"weighed_by": ("paper", AT_TEMPERATURE_1)},
    ),
    "one weight, only weights of T = 1": ({}, {"weighed_by": ("paper", AT_TEMPERATURE_1)}),
    "one weight, same gradients": ({"smoothing": AUTO, "matched": "gradient"}, AS_PLAIN),
    "one weight, scaled alike": ({}, {"weighed_by": ("paper", "scale:alpha=auto")}),
    "balanced, nothing": ({}, {}),
    "balanced, SWAG": ({"smoothing": AUTO}, {}),
    "balanced, same gradients": ({"smoothing": AUTO, "matched": "gradient"}, {}),
    "balanced, softmax over channels": ({"smoothing": "channel-softmax:temperature=auto"}, {}),
    "balanced, square root": ({"smoothing": "power:exponent=0.5"}, {}),
}
"""Settings and options of each variant; `balanced` measures errors in spans."""

NOTHING, BALANCED = "one weight, nothing", "balanced, nothing"
SCRIPT = "one weight, script"
"""The authors' script: its loss, and the last two stages times 0.001."""

CORE = (
    NOTHING,
    "one weight, SWAG",
    "one weight, only weights",
    "one weight, only shape",
    BALANCED,
    "balanced, SWAG",
)
PAIRS = (
    *((name, NOTHING) for name in (*VARIANTS, SCRIPT) if name[:3] == "one" and name != NOTHING),
    (BALANCED, NOTHING),
    *((name, BALANCED) for name in VARIANTS if name[:3] == "bal" and name != BALANCED),
)


def shape_networks(plan: Plan) -> dict[Network, tuple[str, ...]]:
    """The variants of each network: all of one, the core of others, fewer of a large one."""
    everything = (*VARIANTS, SCRIPT)
    if plan.quick:
        return {P_RESNET: everything}
    core = (*CORE, SCRIPT)
    reduced = (NOTHING, "one weight, SWAG", SCRIPT, BALANCED, "balanced, SWAG")
    extended = (*core, "one weight, scaled alike", "one weight, SWAG at T = 1")
    return {
        P_RESNET: everything,
        R_DEEP: extended,
        P_DEEP: core,
        R_RESNET50: reduced,
    }


def shape_label(network: Network, variant: str) -> str:
    """The name of a variant on a network."""
    return f"{network.name}: {variant}"


def jobs(plan: Plan) -> list[StudyJob]:
    """Every network with its variants."""
    all_jobs: list[StudyJob] = []
    for network, names in shape_networks(plan).items():
        for name in names:
            settings, options = VARIANTS.get(name, ({}, {}))
            if name == SCRIPT:
                options = {"weighed_by": ("released-code", late(network))}
            all_jobs += plan.front_jobs(shape_label(network, name), network, settings, **options)
    return all_jobs


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """How much of SWAG's effect under one weight is due to weights, and how much to shape."""
    networks = list(shape_networks(plan))
    pairs = [(shape_label(n, a), shape_label(n, b)) for n in networks for a, b in PAIRS]

    return [
        Section(
            "(a) Shape or scale",
            "The paper explains its gain by shape: less peaky activations, more entropy.",
            " ".join(_findings(runs, networks)),
            "pooled over networks; see the p of each row",
            table=rows_of(runs, pairs),
            figure=effects(runs, [p for p in pairs if p[0].startswith(("p-resnet:", "r-deep:"))]),
            note="`one weight`: one common weight of all layers. `matched=loss` is the variant "
            "`only shape`, and changes nothing where errors are measured in spans.",
        ),
        *(
            picture_section(
                plan,
                runs,
                [shape_label(n, v) for v in (*CORE, SCRIPT)],
                title=f"Pictures of {n.name}",
                expected="The pictures with the smoothed shape are the better ones.",
            )
            for n in networks
        ),
    ]


def _findings(runs: list[StudyRun], networks: list[Network]) -> list[str]:
    """Sentences on the effect of each part of SWAG, pooled over the networks."""

    def gap(variant: str, baseline: str) -> Any:
        return pooled(runs, [(shape_label(n, variant), shape_label(n, baseline)) for n in networks])

    return [
        verdict(gap("one weight, SWAG", NOTHING), "Under one weight SWAG helps"),
        verdict(gap("one weight, only weights", NOTHING), "Its weights alone help"),
        verdict(gap("one weight, only shape", NOTHING), "Its shape alone helps"),
        verdict(
            gap(BALANCED, NOTHING),
            "Measuring each layer in its own span, without any smoothing, helps",
        ),
        verdict(
            gap("balanced, SWAG", BALANCED), "With that, SWAG still helps", "With that, SWAG hurts"
        ),
    ]


def late(network: Network) -> str:
    """The script's factor as a smoothing of the last two stages, by this network's layer names."""
    layers = "layer3,layer4" if network.backbone.startswith("torchvision") else "stage3,stage4"
    return f"scale:alpha=0.001@{layers}"
