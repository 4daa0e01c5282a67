"""Trim the vendor's OpenAPI files to what the tests compare with: python tests/facts/trim.py DOCS/apps

DOCS is a clone of github.com/GoHighLevel/highlevel-api-docs (CC0). Only the operations of the catalog and of the
simulated location are taken, each with its parameters, scopes, bodies and the schemas that they refer to; of the
prose only what names a location.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from hlkit.client.resources import CATALOGUE
from hlkit.sim.endpoints import ROUTES

OUT = Path(__file__).parent / "openapi"
ERRORS = {"BadRequestDTO", "UnprocessableDTO", "ForbiddenDTO", "NotFoundDTO"}
PROSE = ("description", "title", "externalDocs", "tags", "summary", "operationId", "x-codeSamples")


def wanted():
    shape = {(one.method, re.sub(r"\{\w+\}", "{}", one.path)) for one in CATALOGUE.values()}
    return shape | {(one.method, re.sub(r"\{\w+\}", "{}", one.path)) for one in ROUTES}


def bare(value):
    """Without prose, save where it says that a value is a location's id."""
    if isinstance(value, list):
        return [bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    names_location = isinstance(value.get("description"), str) and "locationId" in value["description"]
    kept = {name: bare(part) for name, part in value.items() if not (name in PROSE and isinstance(part, (str, list)))}
    return kept | ({"description": "locationId"} if names_location else {})


def references(value):
    """The files and schemas that a value refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].partition("#")[0], value["$ref"].rpartition("/")[2]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def with_schemas(names, schemas):
    """*names* and all that they refer to within the same file."""
    found = set()
    while names - found:
        name = (names - found).pop()
        found.add(name)
        names |= {other for _, other in references(schemas.get(name, {}))}
    return {name: schemas[name] for name in sorted(found) if name in schemas}


def main(source):
    common_names = set(ERRORS)
    for file in sorted(source.glob("*.json")):
        spec = json.loads(file.read_text(encoding="utf-8"))
        paths = {}
        for path, methods in spec.get("paths", {}).items():
            for method, operation in methods.items():
                if (method.upper(), re.sub(r"\{\w+\}", "{}", path)) in wanted():
                    answers = {code: part for code, part in operation["responses"].items() if code in ("200", "201")}
                    paths.setdefault(path, {})[method] = bare({**operation, "responses": answers})
        if not paths:
            continue
        found = set(references(paths))
        schemas = with_schemas({name for other, name in found if not other}, bare(spec["components"]["schemas"]))
        common_names |= {name for other, name in {*found, *references(schemas)} if other}
        write(OUT / file.name, {"paths": paths, "components": {"schemas": schemas}})
    common = json.loads((source / "common" / "common-schemas.json").read_text(encoding="utf-8"))
    schemas = with_schemas(common_names, bare(common["components"]["schemas"]))
    write(OUT / "common" / "common-schemas.json", {"components": {"schemas": schemas}})


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
