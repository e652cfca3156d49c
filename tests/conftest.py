"""The tests' threads wait as those of a program do that imports swag before torch.

Said here, since the tests import torch first, and swag only after its types are checked.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
