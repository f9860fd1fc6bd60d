"""Prints what is pinned: `python -m tests.unit.service.recomputation.golden figures|packages`."""

import json
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from simulators import passages
from tests.fixtures.packages import small_picture
from tests.unit.service.recomputation.golden.figures import figures
from tests.unit.service.recomputation.golden.packages import packages_now

if sys.argv[1:] == ["figures"]:
    print(json.dumps(figures(), indent=1))
elif sys.argv[1:] == ["packages"]:
    quick = patch.object(passages, "photograph", lambda _vehicle, _role: small_picture())
    with quick, tempfile.TemporaryDirectory() as folder:
        print(json.dumps(packages_now(Path(folder)), indent=1, ensure_ascii=False, sort_keys=True))
else:
    sys.exit(__doc__)
