"""A server that knows nothing but the vendor's specifications: it answers with their schemas and examples alone,
and notes every request that breaks them."""

import json
import re
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest

import hlkit as hl
from hlkit.client.resources import CATALOG

SPECS = Path(__file__).parent / "facts" / "openapi"
LOCATION = "ve9EPM428h8vShlRW1KT"
# What a request holds and the specification does not, each with its reason.
ALLOWED = {
    ("/opportunities/search", "sort"): "missing there; the vendor's document on searches has it",
    ("/opportunities/search", "filters"): "missing there; the vendor's document on searches has it",
    ("/opportunities/search", "page"): "required there; beside a cursor it must not be sent",
    ("/payments/orders", "altType"): "not declared for orders alone; its sibling paths require it",
}


class Specification:
    """All operations of the specifications, and answers made of their schemas."""

    def __init__(self):
        self.operations = []
        for file in sorted(SPECS.glob("*.json")):
            spec = json.loads(file.read_text())
            for path, methods in spec.get("paths", {}).items():
                form = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
                for method, operation in methods.items():
                    self.operations.append((method.upper(), form, operation, spec))
        self.operations.sort(key=lambda one: one[1].pattern.count("[^/]+"))  # a literal path before a pattern

    def find(self, method, path):
        return next(
            ((op, spec) for verb, form, op, spec in self.operations if verb == method and form.fullmatch(path))
        )

    def resolved(self, schema, spec):
        while "$ref" in schema:
            schema = spec["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
        return schema

    def value(self, schema, spec, number, depth=0):
        """A value of a schema: its example, or something of its type. *number* tells rows apart."""
        schema = self.resolved(schema, spec)
        kind = schema.get("type")
        if depth > 6 or not schema:
            return None
        if "properties" in schema:
            return {
                name: f"row{number}" if name in ("id", "_id") and depth else self.value(one, spec, number, depth + 1)
                for name, one in schema["properties"].items()
            }
        if kind == "array":
            items = schema.get("items", {})
            return [self.value(items, spec, one, depth + 1) for one in range(2)]
        if "locationId" in schema.get("description", ""):
            return LOCATION
        example = schema.get("example", schema.get("enum", [None])[0])
        if example is not None:
            return example
        return {"string": "text", "number": 1, "boolean": True, "object": {}}.get(kind)

    def answer(self, operation, spec):
        for status in ("200", "201"):
            content = operation["responses"].get(status, {}).get("content", {}).get("application/json", {})
            if "schema" in content:
                return self.value(content["schema"], spec, 0)
        return {}

    def breaches(self, method, path, query, headers, body):
        operation, spec = self.find(method, path)
        declared = {one["name"]: one for one in operation.get("parameters", ())}
        told = []
        for name, value in query.items():
            schema = declared.get(name, {}).get("schema")
            if schema is None:
                told.append((path, name))
            elif not _fits(value, schema):
                told.append((path, f"{name}={value}"))
        told += [
            (path, name)
            for name, one in declared.items()
            if one.get("required") and one["in"] == "query" and name not in query
        ]
        version = declared.get("Version", {}).get("schema", {}).get("enum")
        if version and headers.get("Version") not in version:
            told.append((path, "Version"))
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        schema = self.resolved(schema, spec)
        if schema.get("properties") and body is not None:
            told += [(path, name) for name in set(body) - set(schema["properties"])]
            told += [(path, name) for name in set(schema.get("required", ())) - set(body)]
        return told


def _fits(text, schema):
    if schema.get("enum"):
        return text in schema["enum"]
    if schema.get("type") == "number":
        return re.fullmatch(r"-?\d+(\.\d+)?", text) and float(text) <= schema.get("maximum", float("inf"))
    return schema.get("type") != "boolean" or text in ("true", "false")


def _same_place(value):
    """The examples' locations are many; a server has one."""
    if isinstance(value, list):
        return [_same_place(one) for one in value]
    if isinstance(value, dict):
        return {
            name: LOCATION if name in ("locationId", "altId") else _same_place(one) for name, one in value.items()
        }
    return value


@pytest.fixture(scope="module")
def server():
    spec = Specification()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.reply("GET", None)

        def do_POST(self):
            self.reply("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, method, body):
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            self.server.breaches += spec.breaches(method, parts.path, query, self.headers, body)
            self.server.times[parts.path] += 1
            told = _same_place(spec.answer(*spec.find(method, parts.path)))
            text = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.breaches, httpd.times = [], defaultdict(int)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def connected(server):
    return hl.connect(
        "pit-00000000-0000-0000-0000-000000000000",
        LOCATION,
        base_url=f"http://127.0.0.1:{server.server_port}",
        timezone="America/Chicago",
        cache=False,
        deadline=1.0,
    )


@pytest.mark.filterwarnings("ignore::hlkit.client.frames.builder.DataWarning")
@pytest.mark.filterwarnings("ignore::hlkit.client.download.MissingRowsWarning")
@pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)
def test_a_server_of_the_specification_alone_gives_a_frame_or_one_clear_error(server, resource):
    loc = connected(server)
    given = {"confirm": True} if resource.parent else {}

    frame, hint = None, "none needed"
    try:
        frame = getattr(loc, resource.name)(**given)
    except hl.errors.HlkitError as error:
        frame, hint = error.partial, error.hint
    assert hint
    if frame is not None:
        assert [frame[column.name].dtype for column in resource.columns] == [
            column.kind.dtype for column in resource.columns
        ]
        assert not frame[resource.key].dropna().duplicated().any()
        assert isinstance(frame, pd.DataFrame)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", list(hl.analyses))
def test_such_a_server_gives_an_analysis_a_table_or_one_clear_error(server, name):
    result, hint = None, "none needed"
    try:
        result = connected(server).analyses[name]()
    except hl.errors.HlkitError as error:
        hint = error.hint
    assert hint
    if result is not None:
        declared = result.analysis.columns
        assert [result.table[column].dtype for column in declared] == [kind.dtype for kind in declared.values()]
        assert len(repr(result)) > 300


def test_no_request_broke_the_specification(server):
    """Runs after the reads above, on what they asked."""
    assert server.times

    assert {breach for breach in server.breaches if breach not in ALLOWED} == set()
