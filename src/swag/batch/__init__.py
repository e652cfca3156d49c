"""Many pictures, one model load: jobs from a table or two folders, states that survive a kill.

jobs = read_jobs("jobs.csv")                   or product("photos", "paintings")
batch = Batch(Path("out"), {"size": 512})
with Ledger(batch.folder) as ledger:
    for outcome in run(batch, jobs, ledger): print(outcome.output, outcome.state)
"""

from swag.batch.jobs import Job, product, read_jobs
from swag.batch.ledger import Ledger, Outcome
from swag.batch.run import run
from swag.batch.work import Batch

__all__ = ["Batch", "Job", "Ledger", "Outcome", "product", "read_jobs", "run"]
