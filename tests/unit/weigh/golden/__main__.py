"""Prints the golden figures as they are now, for figures.json: `python -m tests.unit.weigh.golden`."""

import json

from tests.unit.weigh.golden.figures import figures

print(json.dumps(figures(), indent=1))
