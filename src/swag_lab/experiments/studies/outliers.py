"""Study 5: how much of a squared error a few entries hold, and errors that forgive outliers."""

from collections import defaultdict

from swag_lab.evaluation.networks import Network
from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import (
    effect_section,
    means_of,
    measured_by,
    picture_section,
    pooled,
    verdict,
)
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.measures import FRACTIONS, SMOOTHINGS, percent
from swag_lab.experiments.studies.given import measured_networks, stylized_networks
from swag_lab.experiments.studies.pairs import (
    P_RESNET,
    P_VGG,
    R_DEEP,
    R_NODEEP,
    R_RESNET50,
    R_VGG19,
    both,
    smoothed,
)
from swag_lab.experiments.study import Plan, Row, Section, Study

PENALTIES = ("l1", "huber", "charbonnier")
STYLIZED = (P_RESNET, R_DEEP)


def robust(network: Network, penalty: str) -> str:
    """The name of a variant whose Gram matrices are compared by another error."""
    return f"{network.name}, {penalty}"


def jobs(plan: Plan) -> list[StudyJob]:
    """Shares on each style picture; fronts with L1, Huber, Charbonnier, L2, and SWAG."""
    usual = [P_RESNET, P_VGG, R_DEEP, R_NODEEP] + ([] if plan.quick else [R_RESNET50, R_VGG19])
    networks = measured_networks(plan, usual)
    all_jobs = [
        job
        for network in networks
        for job in plan.measurement_jobs("outliers", network.name, network)
    ]
    for network in stylized_networks(plan, STYLIZED[:1] if plan.quick else STYLIZED):
        all_jobs += both(plan, network, plan.work)
        for penalty in PENALTIES:
            settings = {**plan.work, "style_loss": f"gram-robust:penalty={penalty}"}
            all_jobs += plan.front_jobs(
                robust(network, penalty), network, settings, units=plan.half
            )
    return all_jobs


def mean_shares(runs: list[StudyRun]) -> list[Row]:
    """For each network and smoothing the mean shares over layers and style pictures."""
    columns = [f"{kind} {percent(f)}" for f in FRACTIONS for kind in ("loss", "gram", "gradient")]
    return [
        {"network": network, "smoothing": smoothing, **means_of(rows, columns)}
        for network, rows_by_smoothing in measured_by(runs, "outliers", "smoothing").items()
        for smoothing, rows in rows_by_smoothing.items()
    ]


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Shares before and after smoothing; robust errors against squares and against SWAG."""
    rows = mean_shares(runs)
    stylized = stylized_networks(plan, STYLIZED)
    pairs = [
        pair
        for network in stylized
        for pair in [
            *((robust(network, penalty), network.name) for penalty in PENALTIES),
            (smoothed(network), network.name),
        ]
    ]
    robust_gaps = {p: pooled(runs, [(robust(n, p), n.name) for n in stylized]) for p in PENALTIES}
    first = stylized[0]
    return [
        Section(
            "Shares of the largest Gram entries",
            "In residual networks a few entries hold most of the squared error; smoothing spreads "
            "it.",
            _finding(rows),
            "measured; the mean over layers and style pictures",
            table=rows,
            figure=figures.curves(_share_panels(rows) or {"": {}}, x="largest entries", y="share"),
            note="At the photo. `loss`: the largest differences; `gram`: the entries largest in "
            "either matrix; `gradient`: what of the gradient comes through these.",
        ),
        effect_section(
            runs,
            pairs,
            title="L1, Huber and Charbonnier instead of squares",
            expected="If outliers are the trouble, an error that forgives them should help as SWAG "
            "does.",
            finding=" ".join(
                verdict(c, f"{p} is better than squares") for p, c in robust_gaps.items()
            ),
        ),
        picture_section(
            plan,
            runs,
            [first.name, *(robust(first, p) for p in PENALTIES), smoothed(first)],
            expected="With robust errors more of the style's patterns appear.",
        ),
    ]


def _share_panels(rows: list[Row]) -> dict[str, dict[str, figures.Curve]]:
    """Shares over fractions, a panel for each kind of share and for random and trained weights."""
    panels: dict[str, dict[str, figures.Curve]] = defaultdict(dict)
    for kind in ("loss", "gradient"):
        for row in rows:
            shares = [row[f"{kind} {percent(f)}"] for f in FRACTIONS]
            if row["smoothing"] in ("none", "softmax", "softmax:temperature=auto"):
                label = f"{row['network']}, {row['smoothing']}"
                title = f"{kind}, {'random' if label.startswith('r-') else 'trained'}"
                panels[title][label] = ([f"{f:.1%}" for f in FRACTIONS], shares)
    return dict(panels)


def _finding(rows: list[Row]) -> str:
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        shares[row["network"]][row["smoothing"]] = row["loss 1%"]
    parts = [
        f"{network}: {', '.join(f'{shares[network][s]:.0%} ({s})' for s in SMOOTHINGS)}"
        for network in shares
    ]
    return "The largest 1 % of the differences hold of the squared error: " + "; ".join(parts) + "."


STUDY = Study(
    "outliers",
    "5. The sensitivity of squares to outliers",
    "How much of the style loss and its gradient do the largest Gram entries hold?",
    jobs,
    sections=sections,
)
