"""Renders the chart as often as it is asked to, and holds every object against the schema of its kind.

It reads one request (JSON) from standard input and writes one answer. It runs in one process because starting Helm and
reading the schemas takes longer than rendering, and it judges nothing but schemas: the rest is Rust's.
"""

import json
import re
import sys
from functools import cache
from pathlib import Path

import helm_python as helm
import jsonschema
import kubernetes_validate
import yaml
from referencing import Registry, Resource

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def merged(below, above):
    """Values as Helm lays them over each other: maps are merged, everything else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}
    return above


def read(path):
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader) or {}


def json_of(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


class Schemas:
    """The schemas of all kinds: Kubernetes' own, strictly, and of custom kinds the copies in the checkout."""

    def __init__(self, directory, version):
        self.directory = Path(directory)
        package = Path(kubernetes_validate.__file__).parent
        self.kubernetes = package / "kubernetes-json-schema" / f"v{version}.0-local-strict"
        self.known = {}

    @cache
    def _kubernetes(self, kind, api_version):
        name = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
        schema = json_of(self.kubernetes / f"{kind.lower()}-{name}.json")
        parts = (schema, json_of(self.kubernetes / "_definitions.json"))
        registry = Registry().with_resources((part["$id"], Resource.from_contents(part)) for part in parts)
        return jsonschema.Draft202012Validator(schema, registry=registry)

    @cache
    def _custom(self, kind, api_version):
        group, version = api_version.split("/")
        return jsonschema.Draft202012Validator(json_of(self.directory / group / f"{kind.lower()}_{version}.json"))

    def _validator(self, kind, api_version):
        try:
            return self._kubernetes(kind, api_version)
        except FileNotFoundError:
            return self._custom(kind, api_version)

    def _check(self, thing):
        kind, api_version = thing.get("kind", ""), thing.get("apiVersion", "")
        try:
            validator = self._validator(kind, api_version)
        except (FileNotFoundError, ValueError):
            return [f"there is no schema of {api_version} {kind}"]
        faults = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(thing)]
        if kind == "Rollout":
            # The schema of a Rollout says little of its pods; a Deployment's says everything.
            spec = {key: value for key, value in thing["spec"].items() if key in ("replicas", "selector", "template")}
            faults += self._check({**thing, "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
        return faults

    def faults(self, thing):
        """What is wrong with it. The same object in many renders is looked at once."""
        text = json.dumps(thing, sort_keys=True)
        if text not in self.known:
            metadata = thing.get("metadata", {})
            name = f"{thing.get('kind')} {metadata.get('namespace', '')}/{metadata.get('name')}"
            self.known[text] = [f"{name}: {fault}" for fault in self._check(thing)]
        return self.known[text]


def rendered(chart, directory, case, schemas):
    """One render: its values, its objects, and what is wrong with them; or why it was refused."""
    values = case["values"]
    for name in reversed(case["files"]):
        values = merged(read(directory / name), values)
    answer = {"name": case["name"], "values": merged(chart.values, values), "objects": [], "faults": []}
    try:
        files = chart.render(values, name="cloudjet", namespace="user")
    except Exception as refusal:  # whatever its class is: what it says is compared
        return {**answer, "refusal": str(refusal)}
    for name, text in sorted(files.items()):
        if not name.endswith(".txt"):
            answer["objects"] += [thing for thing in yaml.load_all(text, Loader) if thing]
    for thing in answer["objects"]:
        answer["faults"] += schemas.faults(thing)
    if case["written"]:
        answer["text"] = yaml.dump_all(answer["objects"], Dumper=Dumper, sort_keys=False, width=160, allow_unicode=True)
    return answer


def resolved(schema, definitions):
    """A schema, or the definition that it refers to with what it says beside that."""
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    if "items" in schema:
        schema = {**schema, "items": resolved(schema["items"], definitions)}
    return schema


def described(schema, default, definitions, path=()):
    """Every value with its path, meaning, shape and default, in the schema's order."""
    for name, value in schema.get("properties", {}).items():
        value = resolved(value, definitions)
        here = (*path, name)
        below = default.get(name) if isinstance(default, dict) else None
        if value.get("properties"):
            yield {"path": here, "help": value.get("description", ""), "schema": None, "default": None}
            yield from described(value, below, definitions, here)
        else:
            yield {"path": here, "help": value.get("description", ""), "schema": value, "default": below}


def manifest(path, schemas):
    """A file of plain objects. A schema of ApplicationSets is huge; what one makes is held against its own."""
    things = [thing for thing in yaml.load_all(Path(path).read_text(encoding="utf-8"), Loader) if thing]
    faults = []
    for thing in things:
        if thing.get("kind") == "ApplicationSet":
            thing = {**thing["spec"]["template"], "apiVersion": thing["apiVersion"], "kind": "Application"}
        faults += schemas.faults(thing)
    return {"path": path, "objects": things, "faults": faults}


def main():
    request = json.load(sys.stdin)
    directory = Path(request["chart"])
    schemas = Schemas(request["schemas"], request["kubernetes"])
    messages = []
    for files in request["linted"]:
        values = {}
        for name in files:
            values = merged(values, read(directory / name))
        messages += helm.lint(str(directory), values=values, strict=True, namespace="user")["messages"]
    with helm.Chart.load(str(directory)) as chart:
        cases = [rendered(chart, directory, case, schemas) for case in request["cases"]]
        schema = json_of(directory / "values.schema.json")
        values = list(described(schema, chart.values, schema.get("definitions", {})))
    answer = {
        "lint": messages,
        "cases": cases,
        "values": values,
        "manifests": [manifest(path, schemas) for path in request["manifests"]],
        "compose": read(request["compose"]),
    }
    json.dump(answer, sys.stdout)


main()
