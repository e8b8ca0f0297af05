"""An OpenAPI 3 document as actions: each operation a request to its first server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from cra.adapters.imported import MAX_DESCRIPTION, Effect, Imported, Mention, about, line_of
from cra.adapters.openapi_operation import EFFECTS, Operation, Server, action_of
from cra.adapters.openapi_schema import NotCarried, Schemas
from cra.atlas.problem import YAML_SUFFIXES, Problems, SourceText, refusal
from cra.config.text import parse, plain
from cra.errors import Fault, UsageError
from cra.policy.pattern import MAX_ACTION_ID
from cra.runtime.signature import fitting

# Documents that programs write are larger than what a person does.
MAX_BYTES: Final = 8 << 20
_MAX_OPERATIONS: Final = 1_000
_VERSION: Final = re.compile(r"3\.[01](?:\.[0-9]+)?")
_METHODS: Final = frozenset(["delete", "get", "head", "options", "patch", "post", "put", "trace"])
_HOST: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")
_BASE_PATH: Final = re.compile(r"[A-Za-z0-9\-._~/!$&'()*+,;=:@%]*")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_CAMEL: Final = re.compile("(?<=[a-z0-9])(?=[A-Z])")


class Secured(NamedTuple):
    """The headers that carry the secrets of an operation, and what each secret is."""

    headers: Mapping[str, str]
    secrets: Mapping[str, str]


def read_document(name: str, data: bytes) -> Mapping[str, Any]:
    """The document of a JSON or YAML file, by its suffix. Raises CraError with every mistake."""
    problems = Problems()
    source = SourceText(name, data.decode(errors="replace"), problems)
    note = source.noting(Fault.UNREADABLE)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        note(len(data[: error.start].decode()), "the file", "UTF-8", "other bytes", None)
        raise _unreadable(problems) from None
    if name.lower().endswith(YAML_SUFFIXES):
        from cra.config.yaml_text import parse_yaml

        root = parse_yaml(source.text, note, max_bytes=MAX_BYTES, any_keys=True)
    else:
        root = parse(source.text, note, max_bytes=MAX_BYTES)
    if root is None or problems.errors:
        raise _unreadable(problems)
    document = plain(root)
    if not isinstance(document, dict):
        raise UsageError("expected an OpenAPI document, found no object", where=name)
    version = document.get("openapi")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        swagger = f"swagger {line_of(document.get('swagger'))}" if "swagger" in document else "none"
        found, fix = line_of(version) or swagger, None
        if isinstance(version, int | float):
            found = f"the number {version}"
            fix = f'put the version into quotes, and name all of it: "{version}.0"'
        elif "swagger" in document:
            fix = "convert it to OpenAPI 3 first"
        raise UsageError(
            f"expected an OpenAPI document of version 3.0 or 3.1, found {found}",
            where=name,
            fix=fix,
        )
    return document


def imported_operations(document: Mapping[str, Any], base_url: str | None, prefix: str) -> Imported:
    """Actions of the operations. Raises UsageError for a document without a server to ask."""
    schemas = Schemas(document, is_3_0=document["openapi"].startswith("3.0"))
    server = _server_of(document, base_url)
    reduced: list[Mention] = []
    left_out: list[Mention] = []
    if document.get("webhooks"):
        left_out.append(Mention("webhooks", "requests that the server makes"))
    actions: dict[str, dict[str, Any]] = {}
    effects: dict[str, Effect] = {}
    secrets: dict[str, str] = {}
    for operation in _operations(document, schemas, left_out):
        try:
            action_id = _id_of(operation, prefix, actions, reduced)
            secured = _secured(operation, document, schemas, prefix)
            if secured.headers and server.url.startswith("http:") and not server.is_private:
                raise NotCarried("it takes a secret, which goes over https alone")
            action, said = action_of(operation, action_id, server, schemas, secured.headers)
        except NotCarried as error:
            schemas.take_said()
            left_out.append(Mention(operation.place, str(error)))
            continue
        actions[action_id] = action
        effects[action_id] = EFFECTS[operation.method]
        secrets |= secured.secrets
        reduced += [Mention(operation.place, words) for words in said]
    info = document.get("info")
    info = info if isinstance(info, dict) else {}
    title = line_of(info.get("title")) or "An API"
    packs, files = about(title, info.get("description"))
    capability = {
        "capability_id": f"{prefix}.api",
        "name": title,
        "description": line_of(info.get("description"), MAX_DESCRIPTION),
        "actions": list(actions),
        "context_packs": [pack["pack_id"] for pack in packs],
    }
    return Imported(
        title=title,
        actions=tuple(actions.values()),
        effects=effects,
        context_packs=packs,
        capabilities=(capability,),
        files=files,
        secrets=secrets,
        remarks=(
            f"Requests go to `{server.url}`, and to no other host.",
            "An answer that does not fit the `returns_schema` of its action is a failure, and its "
            "request has been done: take the schema out where the document is not exact.",
            "What an operation does is read off its method: GET and HEAD read, DELETE deletes, and "
            "all others change something.",
        ),
        reduced=tuple(reduced),
        left_out=tuple(left_out),
    )


def _unreadable(problems: Problems) -> Exception:
    return refusal("a document", problems.errors, "mend it, or convert it to plain JSON")


# Operations


def _operations(
    document: Mapping[str, Any], schemas: Schemas, left_out: list[Mention]
) -> Iterator[Operation]:
    paths = document.get("paths", {})
    if not isinstance(paths, dict):
        raise UsageError("expected `paths` to be an object, found another value")
    count = 0
    for path, item in paths.items():
        if path.startswith("x-"):
            continue
        where = line_of(path, 200)
        try:
            shared = schemas.object_at(item, "a path")
        except NotCarried as error:
            left_out.append(Mention(where, str(error)))
            continue
        if not path.startswith("/"):
            left_out.append(Mention(where, "a path that does not begin with /"))
            continue
        for method, own in shared.items():
            if method not in _METHODS:
                continue
            count += 1
            if count > _MAX_OPERATIONS:
                raise UsageError(
                    f"expected at most {_MAX_OPERATIONS} operations, found more",
                    fix="make an atlas of each part of the document",
                )
            operation = Operation(method, path, shared, own if isinstance(own, dict) else {})
            if method not in EFFECTS or not isinstance(own, dict):
                words = "no operation" if method in EFFECTS else "no action has this method"
                left_out.append(Mention(operation.place, words))
            else:
                yield operation


def _id_of(
    operation: Operation, prefix: str, taken: Mapping[str, Any], reduced: list[Mention]
) -> str:
    """The id by the operation's own, or by its method and path. Raises NotCarried."""
    stated = operation.own.get("operationId")
    by_path = _fitted(prefix, f"{operation.method}_{operation.path.replace('.', '_')}")
    if isinstance(stated, str) and stated.strip():
        by_name = _fitted(prefix, _CAMEL.sub("_", stated))
        if by_name not in taken:
            return by_name
        words = f"another operation is {by_name} already, so this one is {by_path}"
        reduced.append(Mention(operation.place, words))
    if by_path in taken:
        raise NotCarried(f"another operation is {by_path} already")
    return by_path


def _fitted(prefix: str, name: str) -> str:
    words = ".".join(part for part in re.sub("[^A-Za-z0-9.]+", "_", name).split(".") if part)
    return f"{prefix}.{fitting(words)}"[:MAX_ACTION_ID].rstrip(".")


# Where requests go


def _server_of(document: Mapping[str, Any], base_url: str | None) -> Server:
    """Raises UsageError. An address of a private network is asked only if the user names it."""
    if base_url is not None:
        return _server(base_url, "--base-url", is_named=True)
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else None
    if not isinstance(first, dict) or not isinstance(first.get("url"), str):
        raise _no_server("none")
    variables = first.get("variables")

    def stated(match: re.Match[str]) -> str:
        variable = variables.get(match[1]) if isinstance(variables, dict) else None
        default = variable.get("default") if isinstance(variable, dict) else None
        return default if isinstance(default, str) else match[0]

    return _server(_VARIABLE.sub(stated, first["url"]), "servers[0]", is_named=False)


def _server(url: str, where: str, *, is_named: bool) -> Server:
    # Before an @ stands a password as often as not: such a URL is never said again.
    told = "one with an @ in it" if "@" in url else line_of(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_server(told, where) from None
    if "@" in parts.netloc:
        raise UsageError(
            "expected the URL of a server without a user or a password, found one with them",
            where=where,
            fix="name it without: --base-url URL; what a request takes as a secret, the document "
            "says in its securitySchemes",
        )
    host = _host_of(parts)
    is_plain = parts.scheme in ("http", "https") and not parts.query and not parts.fragment
    path = parts.path.rstrip("/")
    is_path = _BASE_PATH.fullmatch(path) and {".", ".."}.isdisjoint(path.split("/"))
    if not is_plain or not is_path or not _HOST.fullmatch(host) or port == 0:
        raise _no_server(told, where)
    is_private = _is_private(host)
    if is_private and not is_named:
        raise UsageError(
            f"expected a public server, found {line_of(url)} in the document",
            where=where,
            fix=f"if it is meant, name it: --base-url {line_of(url)}",
        )
    listed = host if port is None else f"{host}:{port}"
    return Server(f"{parts.scheme}://{listed}{path}", listed, is_private)


def _host_of(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    return f"[{host}]" if ":" in host else host


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def _no_server(found: str, where: str = "servers") -> UsageError:
    return UsageError(
        f"expected the URL of a server, like https://api.example.com/v1, found {found}",
        where=where,
        fix="name it: --base-url URL",
    )


# Secrets


def _secured(
    operation: Operation, document: Mapping[str, Any], schemas: Schemas, prefix: str
) -> Secured:
    """The first way to authenticate that an action has. Raises NotCarried if there is none."""
    ways = operation.own.get("security", document.get("security", []))
    if not isinstance(ways, list) or not ways:
        return Secured({}, {})
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    flaw = "no way to authenticate"
    for way in ways:
        try:
            return _way(way, schemes, schemas, prefix)
        except NotCarried as error:
            flaw = str(error)
    raise NotCarried(flaw)


def _way(way: Any, schemes: Any, schemas: Schemas, prefix: str) -> Secured:
    if not isinstance(way, dict):
        raise NotCarried("a way to authenticate that is no object")
    headers: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name in way:
        stated = schemes.get(name) if isinstance(schemes, dict) else None
        scheme = schemas.object_at(stated, f"the security scheme {line_of(name)}")
        # With the atlas in its name: what one API takes is not another's to get.
        words = _CAMEL.sub("_", f"{prefix}_{name}").upper()
        secret = re.sub("[^A-Z0-9]+", "_", words).strip("_")
        header, value, what = _header_of(scheme, secret)
        if header.lower() in {other.lower() for other in headers}:
            raise NotCarried(f"two secrets in the header {header}")
        headers[header] = value
        secrets[secret] = what
    return Secured(headers, secrets)


def _header_of(scheme: Mapping[str, Any], secret: str) -> tuple[str, str, str]:
    """The header of a security scheme, its template, and what the secret is."""
    kind = scheme.get("type")
    stated = f"${{secret:{secret}}}"
    if kind == "apiKey" and scheme.get("in") == "header":
        header = scheme.get("name")
        if isinstance(header, str) and re.fullmatch("[A-Za-z0-9_-]+", header):
            return header, stated, f"the key that goes into the header {header}"
        raise NotCarried("a key in a header that has no name")
    if kind == "http":
        form = str(scheme.get("scheme")).lower()
        if form == "bearer":
            return "Authorization", f"Bearer {stated}", "a bearer token"
        if form == "basic":
            what = "base64 of USER:PASSWORD, for basic authentication"
            return "Authorization", f"Basic {stated}", what
        raise NotCarried(f"http authentication of the form {line_of(form, 40)}")
    if kind in ("oauth2", "openIdConnect"):
        what = "an access token, which is fetched and renewed elsewhere"
        return "Authorization", f"Bearer {stated}", what
    place = f" in the {line_of(scheme.get('in'), 40)}" if kind == "apiKey" else ""
    raise NotCarried(f"its secret is of the kind {line_of(kind, 40) or 'none'}{place}")
