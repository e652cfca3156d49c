"""Many pictures, one model load: jobs from a table or two folders, states that survive a kill.

jobs = read_jobs("jobs.csv")                   or product("photos", "paintings")
batch = Batch(Path("out"), {"size": 512})
with Manifest(batch.folder) as manifest:
    for result in run(batch, jobs, manifest): print(result.output, result.state)
"""

from swag.batch.jobs import Job, product, read_jobs
from swag.batch.manifest import JobResult, Manifest
from swag.batch.run import run
from swag.batch.work import Batch

__all__ = ["Batch", "Job", "JobResult", "Manifest", "product", "read_jobs", "run"]
