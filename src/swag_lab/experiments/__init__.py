"""The studies of the poster, and what it leaves open: runs, judgements and reports.

    conduct = Conduct("ablation", plan, Path("out"))
    for run in conduct.do(conduct.missing()): ...
    conduct.report()

A run is a folder that is named for the hash of its settings: what was done is not done again.
"""

from swag_lab.experiments.conduct import Conduct, named, names
from swag_lab.experiments.evaluate import Panel
from swag_lab.experiments.samples import Sample, painted_samples, samples_in
from swag_lab.experiments.study import Plan, Section, Study

__all__ = [
    "Conduct",
    "Panel",
    "Plan",
    "Sample",
    "Section",
    "Study",
    "named",
    "names",
    "painted_samples",
    "samples_in",
]
