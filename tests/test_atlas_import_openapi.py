"""`cra atlas create --from-openapi`: operations become requests, and what cannot be one is said."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.adapters.atlas import Naming, files_of
from cra.adapters.openapi import imported_operations, read_document
from cra.atlas.manifest import read_atlas
from cra.atlas.package import package_of
from cra.cli import atlas_read
from cra.errors import CraError
from tests.program import answer, at_terminal, cra
from tests.secrets_corpus import KEYS

PETS = """
openapi: 3.0.3
info: {title: Pet store, version: 1.0.0, description: Keeps pets.}
servers: [{url: "https://{region}.example.com/v1/", variables: {region: {default: eu}}}]
security: [{key: []}]
components:
  securitySchemes:
    key: {type: http, scheme: bearer}
  parameters:
    limit: {name: "page[limit]", in: query, schema: {type: integer, format: int32, maximum: 100}}
  schemas:
    Pet:
      allOf:
        - $ref: '#/components/schemas/NewPet'
        - type: object
          required: [id]
          properties: {id: {type: integer, format: int64, readOnly: true}}
    NewPet:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1, description: What it is called}
        tag: {type: string, nullable: true}
        pin: {type: string, writeOnly: true}
paths:
  /pets:
    get:
      operationId: listPets
      summary: List pets
      parameters:
        - $ref: '#/components/parameters/limit'
        - {name: tags, in: query, schema: {type: array, items: {type: string}}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string}}
      responses:
        "200":
          content:
            application/json:
              schema: {type: array, items: {$ref: '#/components/schemas/Pet'}}
    post:
      operationId: pets.create
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}
      responses: {201: {description: made}}
  /pets/{pet-id}:
    parameters: [{name: pet-id, in: path, required: true, schema: {type: integer}}]
    delete: {operationId: deletePet, responses: {"204": {description: gone}}}
"""
MINIMAL = {"openapi": "3.1.0", "servers": [{"url": "https://api.example.com"}], "paths": {}}


@pytest.fixture
def place(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    (tmp_path / "pets.yaml").write_text(PETS)
    return tmp_path


@pytest.fixture
def asked():
    """A server on a loopback port, and what it was asked."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("content-length", 0))
            seen.append((self.command, self.path, self.headers, self.rfile.read(length)))
            body = b'[{"id": 1, "name": "Rex", "tag": null}]' if self.command == "GET" else b""
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  # http.server calls it by that name

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen.append(f"http://127.0.0.1:{server.server_port}/v1")
    yield seen
    server.shutdown()
    server.server_close()


def imported(place, *more, file="pets.yaml"):
    made = answer(place, "atlas", "create", "pets", "--from-openapi", file, "--json", *more)
    return json.loads(made)["imported"]


def carried(document, base_url=None):
    """The actions of a document by their ids, and what is not carried over, or in part."""
    text = json.dumps(document).encode()
    found = imported_operations(read_document("d.json", text), base_url, "p")
    atlas = read_atlas(package_of(files_of(found, Naming("local.p", "p", "p", "made"))), "p")
    assert atlas.errors == ()
    assert [one for one in atlas_read.tested(atlas.atlas, "p") if one.problems] == []
    said = [f"{one.where}: {one.words}" for one in found.reduced]
    said += [f"{one.where}: left out: {one.words}" for one in found.left_out]
    return {action["action_id"]: action for action in found.actions}, said


def api(method="get", path="/a", /, *, openapi="3.1.0", components=None, **operation):
    operation = {"operationId": "it", **operation}
    return {
        **MINIMAL,
        "openapi": openapi,
        "components": components or {},
        "paths": {path: {method: operation}},
    }


def parameter(name, place="query", *, required=False, **schema):
    return {"name": name, "in": place, "required": required, "schema": schema or {"type": "string"}}


def json_body(schema, *, required=True):
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def named(*names):
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


def test_operations_run_as_actions(place, asked):
    found = imported(place, "--base-url", asked[0])
    assert found["actions"] == ["pets.list_pets", "pets.pets.create", "pets.delete_pet"]
    assert (found["left_out"], found["secrets"]) == ([], ["PETS_KEY"])
    assert answer(place, "atlas", "validate", "pets") == "valid: local.pets 0.1.0"
    assert answer(place, "atlas", "test", "pets").endswith("3 passed, 0 failed")
    answer(place, "atlas", "add", "pets", "--yes")
    settings = json.loads((place / "cra.config.json").read_text())
    (place / "cra.config.json").write_text(json.dumps({**settings, "secrets": ["PETS_KEY"]}))
    resolved = json.loads(answer(place, "resolve", "--goal", "list pets", "--json"))
    assert resolved["context_blocks"][0]["content"] == "# Pet store\n\nKeeps pets.\n"
    with_key = {"PETS_KEY": "k-e-y"}

    given = json.dumps({"page_limit": 7, "tags": ["a b", "c"], "X-Tenant": "me"})
    (place / "given.json").write_text(given)
    listed = answer(place, "execute", "pets.list_pets", "--params", "given.json", **with_key)

    assert json.loads(listed)["body"] == [{"id": 1, "name": "Rex", "tag": None}]
    method, path, headers, _ = asked[1]
    assert (method, path) == ("GET", "/v1/pets?page%5Blimit%5D=7&tags=a%20b&tags=c")
    assert (headers["authorization"], headers["x-tenant"]) == ("Bearer k-e-y", "me")

    call = ("execute", "pets.pets.create", "-p", "name=Rex", "-p", "tag=null")
    assert cra(place, *call, **with_key).returncode == 4
    assert at_terminal(place, *call, typed="y\n", **with_key)[0] == 0
    assert (asked[2][0], json.loads(asked[2][3])) == ("POST", {"name": "Rex", "tag": None})
    denied = cra(place, "execute", "pets.delete_pet", "-p", "pet-id=7", **with_key)
    assert (denied.returncode, "pets-deletes" in denied.stdout) == (1, True)
    assert len(asked) == 3


def test_a_document_in_json_gives_the_same_as_in_yaml(place):
    first = imported(place, "--dry-run")
    text = json.dumps(read_document("pets.yaml", PETS.encode()))
    (place / "pets.json").write_text(text)

    assert imported(place, file="pets.json") == {**first, "source": "pets.json"}
    assert "https://eu.example.com/v1/pets" in (place / "pets/actions-1.json").read_text()


def test_what_one_side_alone_states_is_not_asked_of_the_other(place):
    imported(place)

    actions = {
        one["action_id"]: one for one in json.loads((place / "pets/actions-1.json").read_text())
    }
    made = actions["pets.pets.create"]["parameters_schema"]
    assert made["properties"].keys() == {"name", "tag", "pin"}
    assert made["properties"]["tag"] == {"type": ["string", "null"]}
    assert made["required"] == ["name"]
    body = actions["pets.list_pets"]["returns_schema"]["properties"]["body"]
    assert body["items"]["allOf"][0]["properties"].keys() == {"name", "tag"}
    assert [actions[one]["risk_tier"] for one in actions] == ["low", "medium", "high"]


NODE = {"Node": {**named("a"), "properties": {"next": {"$ref": "#/components/schemas/Node"}}}}
DEEP = {f"S{at}": {"allOf": [{"$ref": f"#/components/schemas/S{at + 1}"}] * 2} for at in range(20)}
LEFT = [
    (api(deprecated=True), "GET /a: left out: it is deprecated"),
    (api("trace"), "TRACE /a: left out: no action has this method"),
    (api(servers=[{"url": "https://b.example"}]), "GET /a: left out: it has a server of its own"),
    (
        api("post", requestBody={"required": True, "content": {"multipart/form-data": {}}}),
        "POST /a: left out: its body: multipart/form-data",
    ),
    (
        api("post", requestBody={"required": False, "content": {"text/csv": {}}}),
        "POST /a: without its body: text/csv",
    ),
    (
        api("put", requestBody={"content": {"text/csv": {}}}),
        "PUT /a: left out: its body: text/csv",
    ),
    (
        api("post", requestBody={"content": {"application/json": {"schema": {"type": "array"}}}}),
        "POST /a: left out: its body: it is no object with named members",
    ),
    (
        api("post", requestBody=json_body({"oneOf": [named("a"), named("b")]})),
        "POST /a: left out: its body: it is one of several",
    ),
    (
        api("post", requestBody=json_body({"type": "array", "items": {}})),
        "POST /a: left out: its body: it is no object with named members",
    ),
    (
        api("post", requestBody=json_body(named("a b", "c"))),
        "POST /a: without the member a b of its body: no argument has such a name",
    ),
    (
        api("post", requestBody=json_body(named("c"), required=False)),
        "POST /a: its body is sent always, and may be left out by other callers",
    ),
    (
        api(requestBody=json_body(named("a"))),
        "GET /a: left out: its body: application/json",
    ),
    (
        api(parameters=[parameter("c", "cookie")]),
        "GET /a: without the cookie parameter c: only those of path, query and header are sent",
    ),
    (
        api(parameters=[parameter("c", "cookie", required=True)]),
        "GET /a: left out: the cookie parameter c: only those of path, query and header are sent",
    ),
    (
        api(parameters=[parameter("X-A", "header")]),
        "GET /a: without the header parameter X-A: optional ones have no place in a request",
    ),
    (
        api(parameters=[parameter("Host", "header", required=True)]),
        "GET /a: left out: the header parameter Host: no action sets that header",
    ),
    (
        api(parameters=[parameter("q", type="object")]),
        "GET /a: without the query parameter q: lists and objects have no form there",
    ),
    (
        api(parameters=[parameter("q", type="strin")]),
        "GET /a: without the query parameter q: its schema names the type strin, which is none",
    ),
    (
        api(parameters=[{**parameter("q"), "style": "deepObject"}]),
        "GET /a: without the query parameter q: its style is deepObject",
    ),
    (
        api(parameters=[{**parameter("q", type="array"), "explode": False}]),
        "GET /a: without the query parameter q: its items are sent in one",
    ),
    (api(callbacks={"x": {}}), "GET /a: without its callbacks"),
    (
        api(parameters=[{"$ref": "https://evil.example/x.json"}]),
        "GET /a: left out: a reference to another document: https://evil.example/x.json",
    ),
    (api(parameters=[{"$ref": "#/nosuch"}]), "GET /a: left out: a reference to nothing: #/nosuch"),
    (
        api(
            parameters=[{"$ref": "#/components/parameters/a"}],
            components={"parameters": {"a": {"$ref": "#/components/parameters/a"}}},
        ),
        "GET /a: left out: a parameter is a reference that leads back to itself",
    ),
    (
        api(
            "post",
            requestBody=json_body({"$ref": "#/components/schemas/Node"}),
            components={"schemas": NODE},
        ),
        "POST /a: left out: its body: a schema that holds itself: #/components/schemas/Node",
    ),
    (
        api(
            parameters=[{**parameter("q"), "schema": {"$ref": "#/components/schemas/S0"}}],
            components={"schemas": {**DEEP, "S20": {"type": "string"}}},
        ),
        "GET /a: without the query parameter q: a schema of more than 2000 subschemas",
    ),
    (api("get", "/a/{b}"), "GET /a/{b}: left out: a path that does not fit its parameters: b"),
    (api("get", "/a/../b"), "GET /a/../b: left out: a path with . or .. in it"),
    (api("get", "/a{"), "GET /a{: left out: a path with braces, ?, # or \\ in it"),
    (api("get", "/a?b=c"), "GET /a?b=c: left out: a path with braces, ?, # or \\ in it"),
    (api("get", "/\x1b[2J?"), "GET /\\x1b[2J?: left out: a path with braces, ?, # or \\ in it"),
    (api("get", "a"), "a: left out: a path that does not begin with /"),
    (
        api(parameters=[parameter("q", type="string", pattern="(a+)+(?=b)")]),
        "GET /a: without a pattern that cra cannot check: (a+)+(?=b)",
    ),
    (
        api(parameters=[parameter("q", type="integer", maximum=2**63)]),
        "GET /a: without a maximum that is more than all readers of JSON agree on",
    ),
    (
        api(parameters=[parameter("q", type="string", format="ulid")]),
        "GET /a: without the format ulid, which is not checked",
    ),
    (
        api(parameters=[parameter("q", type="string", mystery=1)]),
        "GET /a: without the keyword mystery of a schema",
    ),
    (
        api(parameters=[parameter("q", type="string", minLength="x")]),
        "GET /a: left out: its parameters: properties.q.minLength: expected",
    ),
    (
        api(security=[{"k": []}], components={"securitySchemes": {"k": {"type": "mutualTLS"}}}),
        "GET /a: left out: its secret is of the kind mutualTLS",
    ),
    (
        api(security=[{"k": []}]),
        "GET /a: left out: the security scheme k is no object",
    ),
    ({**MINIMAL, "webhooks": {"x": {}}}, "webhooks: left out: requests that the server makes"),
]


@pytest.mark.parametrize(("document", "expected"), LEFT, ids=[said for _, said in LEFT])
def test_what_is_not_carried_over_is_said(document, expected):
    _, said = carried(document)

    assert [one for one in said if one.startswith(expected)] != [], said


def test_what_is_carried_over_in_part_is_told_apart_from_what_is_left_out(place):
    document = api(parameters=[parameter("q"), parameter("c", "cookie")])
    document["paths"]["/b"] = {"get": {"deprecated": True}}
    (place / "two.json").write_text(json.dumps(document))
    part = "the cookie parameter c: only those of path, query and header are sent"

    found = imported(place, "--dry-run", file="two.json")
    said = answer(place, "atlas", "create", "pets", "--from-openapi", "two.json")

    assert found["reduced"] == [{"where": "GET /a", "words": f"without {part}"}]
    assert found["left_out"] == [{"where": "GET /b", "words": "it is deprecated"}]
    assert "Carried over in part: 1\n  GET /a: without the cookie" in said
    assert "Not carried over: 1\n  GET /b: it is deprecated" in said
    readme = (place / "pets/README.md").read_text()
    assert f"## What was carried over in part\n\n- GET /a: without {part}\n" in readme
    assert "## What was not carried over\n\n- GET /b: it is deprecated\n" in readme


def only(document, base_url=None):
    actions, said = carried(document, base_url)
    [action] = actions.values()
    return action, said


def test_what_has_a_place_in_a_request_goes_there():
    document = api(
        "put",
        "/a b/{id}/$%{x.y}",
        parameters=[
            parameter("id", "path", required=True),
            parameter("x.y", "path", required=True),
            parameter("id", "query"),
            parameter("Authorization", "header", required=True),
        ],
        requestBody={
            "required": True,
            "content": {"application/merge-patch+json; charset=utf-8": {"schema": named("id")}},
        },
    )

    action, said = only(document)

    executor = action["executor"]
    assert executor["url"] == "https://api.example.com/a%20b/{id_path}/$%25{x.y}"
    assert executor["query"] == {"id": "id_query"}
    assert executor["body"] == ["id"]
    assert executor["headers"] == {"Content-Type": "application/merge-patch+json"}
    assert action["idempotent"]
    assert said == []


def test_ids_are_fitted_and_a_clash_is_said():
    document = deepcopy(MINIMAL)
    ids = ["List Pets", "list_pets", "{secret}", "9lives", "a..b", "ä", None]
    for at, one in enumerate(ids):
        document["paths"][f"/x{at}/y.z"] = {"get": {"operationId": one}}

    actions, said = carried(document)

    assert list(actions) == [
        "p.list_pets",
        "p.get_x1_y_z",
        "p.secret",
        "p.f_9lives",
        "p.a.b",
        "p.f",
        "p.get_x6_y_z",
    ]
    assert said == [
        "GET /x1/y.z: another operation is p.list_pets already, so this one is p.get_x1_y_z"
    ]


SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "k"},
    "basic": {"type": "http", "scheme": "Basic"},
    "oauth": {"type": "oauth2", "flows": {}},
}


@pytest.mark.parametrize(
    ("security", "headers"),
    [
        ([{"key": []}], {"X-Key": "${secret:P_KEY}"}),
        ([{"query": []}, {"basic": []}], {"Authorization": "Basic ${secret:P_BASIC}"}),
        (
            [{"key": [], "oauth": ["read"]}],
            {"X-Key": "${secret:P_KEY}", "Authorization": "Bearer ${secret:P_OAUTH}"},
        ),
        ([{"basic": [], "oauth": []}, {}], None),
        ([], None),
    ],
)
def test_a_secret_goes_into_the_header_that_its_scheme_names(security, headers):
    action, _ = only(api(security=security, components={"securitySchemes": SCHEMES}))

    assert action["executor"].get("headers") == headers


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/v1", "the URL of a server"),
        ("https://{x}.example.com", "the URL of a server"),
        ("https://user:pw@a.example", "the URL of a server"),
        ("https://a.example/../b", "the URL of a server"),
        ("https://a.example:0/", "the URL of a server"),
        ("https://a.example/?q", "the URL of a server"),
        ("https://a.example/{{", "the URL of a server"),
        ("ftp://a.example", "the URL of a server"),
        ("http://[::1", "the URL of a server"),
        ("http://localhost:8080/v1", "a public server"),
        ("http://169.254.169.254/", "a public server"),
        ("https://[::1]/", "a public server"),
    ],
)
def test_a_server_that_a_document_must_not_choose_is_refused(url, expected):
    with pytest.raises(CraError, match=f"^expected {expected}") as refused:
        carried({**MINIMAL, "servers": [{"url": url}]})

    assert "--base-url" in refused.value.fix


def test_a_private_server_is_asked_if_the_user_names_it():
    action, _ = only(api(), "http://LOCALHOST:8080/v1/")

    assert action["executor"]["url"] == "http://localhost:8080/v1/a"
    assert action["executor"]["hosts"] == ["localhost:8080"]
    assert action["executor"]["allow_private"]


def test_a_secret_does_not_go_over_http_to_a_public_host():
    document = api(security=[{"key": []}], components={"securitySchemes": SCHEMES})

    actions, said = carried(document, "http://api.example.com")

    assert actions == {}
    assert said == ["GET /a: left out: it takes a secret, which goes over https alone"]


HOSTILE = {
    "an alias": ("d.yaml", b"openapi: 3.0.0\na: &a [1]\nb: *a\n"),
    "deep": ("d.json", b"[" * 100_000),
    "deep yaml": ("d.yaml", b"[" * 100_000),
    "large": ("d.yaml", b"openapi: 3.0.0\nx: " + b"a" * (2 << 20)),
    "swagger": ("d.json", b'{"swagger": "2.0"}'),
    "a number": ("d.yaml", b"openapi: 3.0\n"),
    "a list": ("d.json", b"[]"),
    "empty": ("d.yaml", b""),
    "no text": ("d.json", b"\xff\xfe"),
    "a key twice": ("d.json", b'{"openapi": "3.0.0", "openapi": "3.1.0"}'),
    "no paths": ("d.json", b'{"openapi": "3.0.0", "servers": [{"url": "https://a.b"}]}'),
}


def test_a_version_that_yaml_reads_as_a_number_is_said_to_be_one(place):
    (place / "d.yaml").write_text("openapi: 3.0\npaths: {}\n")
    said = cra(place, "atlas", "create", "desk", "--from-openapi", "d.yaml")

    assert said.returncode == 2
    assert "of version 3.0 or 3.1, found the number 3.0\n" in said.stderr
    assert 'fix: put the version into quotes, and name all of it: "3.0.0"\n' in said.stderr


@pytest.mark.parametrize("url", ["https://u:hunter2@a.example", "https://u:hunter2/x@a.example"])
def test_a_server_with_a_password_in_its_url_is_refused_without_a_word_of_it(place, url):
    (place / "d.json").write_text(json.dumps({**MINIMAL, "servers": [{"url": url}]}))
    said = cra(place, "atlas", "create", "a", "--from-openapi", "pets.yaml", "--base-url", url)
    read = cra(place, "atlas", "create", "a", "--from-openapi", "d.json")

    assert (said.returncode, read.returncode) == (2, 2)
    assert "hunter2" not in said.stderr + read.stderr
    assert "where: --base-url\n" in said.stderr
    assert "where: servers[0]\n" in read.stderr


@pytest.mark.parametrize(("name", "data"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_an_error_and_leaves_nothing(place, name, data):
    (place / name).write_bytes(data)

    said = cra(place, "atlas", "create", "pets", "--from-openapi", name)

    assert said.returncode == 2
    assert said.stderr.startswith("error[CRA-")
    assert "expected " in said.stderr
    assert "Traceback" not in said.stderr
    assert not (place / "pets").exists()


def test_what_reads_as_a_secret_in_a_document_is_a_warning_with_its_place(place):
    key = KEYS["github_token"][0](Random(1))
    document = api(parameters=[parameter("q", type="string", default=key)])
    (place / "leak.json").write_text(json.dumps(document))

    found = imported(place, file="leak.json")

    [warning] = found["warnings"]
    assert warning["words"] == "a secret? (github_token)"
    name, _, line = warning["where"].partition(":")
    assert key in (place / "pets" / name).read_text().split("\n")[int(line) - 1]
    assert key not in json.dumps(found)


def test_actions_beyond_what_a_package_holds_are_an_error():
    members = {f"m{at}": {"type": "string", "description": "d" * 40} for at in range(400)}
    document = {**deepcopy(MINIMAL), "components": {"schemas": {"a": {"properties": members}}}}
    shared = {"schema": {"$ref": "#/components/schemas/a"}}
    answers = {"200": {"content": {"application/json": shared}}}
    document["paths"] = {f"/p{at}": {"get": {"responses": answers}} for at in range(500)}

    with pytest.raises(CraError, match="actions of at most 16777216 bytes"):
        carried(document)


def test_a_file_that_is_not_there_is_an_error(place):
    said = cra(place, "atlas", "create", "pets", "--from-openapi", "nosuch.yaml")

    assert said.returncode == 2
    assert "nosuch.yaml" in said.stderr
    assert "Traceback" not in said.stderr


def test_many_operations_are_held_in_files_that_a_manifest_may_name():
    document = deepcopy(MINIMAL)
    words = "long " * 90
    for at in range(900):
        document["paths"][f"/p{at}"] = {
            "get": {"description": words, "parameters": [{**parameter("q"), "description": words}]}
        }

    assert len(carried(document)[0]) == 900
    for at in range(900, 1_001):
        document["paths"][f"/p{at}"] = {"get": {}}
    with pytest.raises(CraError, match="at most 1000 operations"):
        carried(document)


def test_nothing_that_a_document_says_reaches_the_terminal_or_a_page_as_it_is(place):
    evil = "\x1b[2J\u202e<b>`|"
    document = api(summary=evil, description=evil, deprecated=False, callbacks={evil: {}})
    document |= {"info": {"title": evil, "description": evil}}
    document["paths"][f"/{evil}"] = {"get": {"deprecated": True}}
    (place / "evil.json").write_text(json.dumps(document))

    said = cra(place, "atlas", "create", "pets", "--from-openapi", "evil.json")

    assert said.returncode == 0
    pages = [(place / "pets" / name).read_text() for name in ("README.md", "context/about.md")]
    for text in (said.stdout, said.stderr, *pages):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "\\x1b\\[2J" not in said.stdout
    assert "\\<b\\>" in pages[0]


# Any document gives an atlas whose scenarios pass, or an error that says what is wrong.


def words(text):
    return st.sampled_from(text.split())


def mostly(strategy):
    """What a document should have there, and now and then anything."""
    return st.integers(0, 11).flatmap(lambda at: strategy if at else ANY)


WORDS = words(
    """a b name id type get put post string object array integer null 200 3.1.0 query path header
    #/a #/components/schemas/a {a} ${secret:A} .. https://a.example application/json binary
    date-time ^a$ (?=a) \x1b \ud800"""
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text()
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)
KEYWORDS = words(
    """enum const default format pattern minimum exclusiveMinimum exclusiveMaximum maximum maxLength
    minItems additionalProperties readOnly nullable description title uniqueItems multipleOf
    dependentRequired patternProperties x-a xml other"""
)
REFERENCE = st.fixed_dictionaries(
    {"$ref": words("#/components/schemas/a #/components/schemas/b #")}
)
LEAVES = st.dictionaries(KEYWORDS, ANY, max_size=2).flatmap(
    lambda keys: st.fixed_dictionaries(
        {"type": mostly(words("string integer number boolean array object"))}
    ).map(lambda typed: {**typed, **keys})
)
SCHEMAS = st.recursive(
    mostly(LEAVES) | REFERENCE,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.just("object"),
            "properties": mostly(st.dictionaries(WORDS, inner, max_size=3)),
            "required": mostly(st.lists(WORDS, unique=True, max_size=2)),
            "allOf": mostly(st.lists(inner, min_size=1, max_size=2)),
            "anyOf": mostly(st.lists(inner, min_size=1, max_size=2)),
            "not": inner,
            "items": inner,
            "additionalProperties": inner,
            "nullable": ANY,
        },
    ),
    max_leaves=6,
)
PARAMETERS = st.fixed_dictionaries(
    {
        "name": words("a b {a} ${secret:A} \x1b \ud800 Host"),
        "in": words("path query header cookie"),
    },
    optional={
        "required": mostly(st.booleans()),
        "style": words("form simple"),
        "description": ANY,
    },
)
CONTENTS = mostly(
    st.dictionaries(
        words("application/json application/x+json text/plain {a}/json"),
        mostly(st.fixed_dictionaries({"schema": mostly(SCHEMAS)})),
        max_size=2,
    )
)
OPERATIONS = st.fixed_dictionaries(
    {
        "parameters": mostly(st.lists(mostly(PARAMETERS), max_size=2)),
        "responses": mostly(
            st.dictionaries(
                words("200 204 2XX default"),
                mostly(st.fixed_dictionaries({"content": CONTENTS})),
                max_size=2,
            )
        ),
    },
    optional={
        "operationId": mostly(WORDS),
        "summary": ANY,
        "requestBody": mostly(
            st.fixed_dictionaries({"content": CONTENTS}, optional={"required": ANY})
        ),
        "security": mostly(st.lists(st.dictionaries(words("a b"), ANY, max_size=2), max_size=2)),
        "x-a": ANY,
    },
)
PATHS = st.dictionaries(
    st.sampled_from(["/a", "/b", "/c", "/d", "/e", "/a/{a}", "/{a}{b}", "/\ud800", "/a %"]),
    mostly(
        st.dictionaries(
            words("get post put delete head trace"), mostly(OPERATIONS), min_size=1, max_size=3
        )
    ),
    min_size=1,
    max_size=3,
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "openapi": words("3.0.3 3.1.0"),
        "servers": mostly(st.just([{"url": "https://a.example/v1"}])),
        "paths": mostly(PATHS),
    },
    optional={
        "info": mostly(st.dictionaries(words("title description"), ANY)),
        "components": mostly(
            st.fixed_dictionaries(
                {
                    "schemas": mostly(st.dictionaries(words("a b"), SCHEMAS, max_size=2)),
                    "securitySchemes": mostly(
                        st.dictionaries(words("a b"), st.sampled_from([*SCHEMES.values()]))
                    ),
                }
            )
        ),
        "security": ANY,
        "webhooks": ANY,
    },
)


@given(DOCUMENTS)
def test_any_document_gives_an_atlas_that_is_valid_or_an_error(document):
    try:
        read = read_document("d.json", json.dumps(document).encode())
        found = imported_operations(read, None, "p")
    except CraError:
        return
    files = files_of(found, Naming("local.p", "p", "p", "made"))
    reading = read_atlas(package_of(files), "p")

    assert reading.errors == ()
    assert [one for one in atlas_read.tested(reading.atlas, "p") if one.problems] == []


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["d.json", "d.yaml"]))
def test_any_bytes_give_a_document_or_an_error(data, name):
    try:
        read_document(name, data)
    except CraError:
        return
    assert b"openapi" in data
