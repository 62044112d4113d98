"""Reads YAML files and answers with their contents as JSON, by path.

Every scalar stays the text it is: YAML would make the key `on` of a workflow a truth.
"""

import json
import sys
from pathlib import Path

import yaml

json.dump({path: yaml.load(Path(path).read_text(encoding="utf-8"), yaml.BaseLoader) for path in sys.argv[1:]}, sys.stdout)
