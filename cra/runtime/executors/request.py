"""An HTTP request as its executor and the arguments make it, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from cra import canonical
from cra.atlas.model import HttpExecutor
from cra.runtime.executors.template import fill, text_of, texts_of
from cra.runtime.executors.work import Stopped, Work

# RFC 3986, section 2: what is beyond it is percent-encoded in the template already.
_TARGET: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=\[\]]|%[0-9A-Fa-f]{2})*")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_PORTS: Final = {"http": 80, "https": 443}
# What concerns the connection is cra's to say.
_OWN_HEADERS: Final = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


@dataclass(frozen=True)
class HttpRequest:
    scheme: str
    # ASCII in lower case; an IPv6 address has no brackets.
    host: str
    port: int
    # Path and query.
    target: str
    headers: Mapping[str, str]
    body: bytes | None


def request_of(executor: HttpExecutor, work: Work) -> HttpRequest:
    """Raises Stopped for a host that is not listed, and for values that would mean more than
    themselves."""
    parts = _filled(executor.url, work.arguments)
    parts = parts._replace(query=_query(parts.query, executor.query, work.arguments))
    host, port = _authority(parts.netloc, parts.scheme)
    _refuse_unlisted(host, port, parts.scheme, executor.hosts)
    target = _target(parts)
    headers = {"Host": _host_header(host, port, parts.scheme), "User-Agent": "cra"}
    body = None
    if executor.body is not None:
        given = work.arguments
        body = canonical.encode({name: given[name] for name in executor.body if name in given})
        headers["Content-Type"] = "application/json"
    is_open = parts.scheme == "http" and not executor.allow_private
    secret = _refuse_open if is_open else work.secret
    for name, value in _declared(executor.headers, work.arguments, secret).items():
        headers = {other: text for other, text in headers.items() if other.lower() != name.lower()}
        headers[name] = value
    return HttpRequest(parts.scheme, host, port, target, headers, body)


def _filled(template: str, arguments: Mapping[str, Any]) -> SplitResult:
    """The URL with every value percent-encoded: none can add a slash, a query or a fragment."""

    def in_query(name: str) -> str:
        return quote(text_of(arguments, name), safe="")

    def in_path(name: str) -> str:
        # An empty segment names another thing: DELETE /tickets/ is not DELETE /tickets/7.
        return in_query(name) or _refuse_empty(name)

    before, mark, query = template.partition("?")
    url = fill(before, in_path) + mark + fill(query, in_query)
    # urlsplit drops some of these without a word.
    if re.search(r"[\x00-\x20\x7f\\#]", url):
        raise Stopped(
            "refused", f"expected a URL without spaces, \\ and fragment, found {url!r:.80}"
        )
    try:
        return urlsplit(url)
    except ValueError as error:
        raise Stopped("refused", f"expected a URL, found {url!r:.80}: {error}") from None


def _query(stated: str, declared: Mapping[str, str], arguments: Mapping[str, Any]) -> str:
    """The query of the URL, and what of the declared arguments is given."""
    pairs = [
        f"{quote(key, safe='')}={quote(text, safe='')}"
        for key, name in declared.items()
        if arguments.get(name) is not None
        for text in texts_of(arguments, name)
    ]
    return "&".join([stated, *pairs] if stated else pairs)


def _authority(text: str, scheme: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[v6]:port`."""
    if scheme not in _PORTS:
        raise Stopped("refused", f"expected a URL with http or https, found {scheme!r:.80}")
    try:
        parts = urlsplit(f"//{text}")
        host = (parts.hostname or "").encode("idna").decode().lower()
        port = _PORTS[scheme] if parts.port is None else parts.port
    except ValueError:
        host, port = "", 0
    if not host or "%" in host or "@" in text:
        raise Stopped("refused", f"expected a host and perhaps a port, found {text!r:.80}")
    return host, port


def _refuse_unlisted(host: str, port: int, scheme: str, hosts: tuple[str, ...]) -> None:
    """A listed host without a port stands for the scheme's own port."""
    if (host, port) not in [_authority(listed, scheme) for listed in hosts]:
        listed = ", ".join(hosts) or "none"
        raise Stopped(
            "refused", f"expected a host that the action lists ({listed}), found {host}:{port}"
        )


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    if not _TARGET.fullmatch(target):
        raise Stopped("refused", f"expected a percent-encoded path and query, found {target!r:.80}")
    # Servers undo the encoding at different times, some before they look for dots.
    if any(part in (".", "..") for part in re.split(r"[/\\]", unquote(path))):
        raise Stopped("refused", f"expected a path without . and .. segments, found {path!r:.80}")
    return target


def _host_header(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == _PORTS[scheme] else f"{name}:{port}"


def _declared(
    headers: Mapping[str, str], arguments: Mapping[str, Any], secret: Callable[[str], str]
) -> dict[str, str]:
    filled = {}
    for name, template in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise Stopped(
                "refused", f"expected a header that an action may set, found {name!r:.80}"
            )
        filled[name] = fill(template, lambda key: text_of(arguments, key), secret)
        if not _HEADER_VALUE.fullmatch(filled[name]):
            # The value may be a secret, so it is not shown.
            raise Stopped("refused", f"expected printable ASCII in the header {name}, found more")
    return filled


def _refuse_open(name: str) -> str:
    raise Stopped("refused", f"expected https for the secret {name}, found http to a public host")


def _refuse_empty(name: str) -> str:
    raise Stopped("refused", f"expected a value of {name} in the URL's path, found an empty one")
