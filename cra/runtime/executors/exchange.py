"""The exchange of one HTTP request: name, address, connection, answer, all before one deadline.

The name is resolved once, every address is checked, and the connection goes to a checked address:
an answer of the resolver that changes between check and connection changes nothing.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from cra.atlas.model import HttpExecutor
from cra.runtime.executors.address import is_allowed
from cra.runtime.executors.request import HttpRequest
from cra.runtime.executors.thread import within
from cra.runtime.executors.work import Failed, Stopped


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    # By names in lower case.
    headers: dict[str, str]
    body: bytes


def exchange(executor: HttpExecutor, request: HttpRequest, timeout: float) -> HttpAnswer | Failed:
    """`sent` in the details of a failure: the server may have got the request, and acted on it."""
    left = partial(_left, time.monotonic() + timeout)
    is_sent = False
    try:
        addresses = _resolved(request, left, allow_private=executor.allow_private)
        with closing(_connected(request, addresses, left)) as sock:
            is_sent = True
            response = _sent(executor.method, request, _Channel(sock, left))
            body = _body(response, executor.max_response_bytes)
    except TimeoutError:
        found = "the request was sent, and may have its effect" if is_sent else "none was sent"
        return Failed("timeout", f"expected an answer in time; {found}", {"sent": is_sent})
    except (OSError, http.client.HTTPException) as error:
        found = f"expected an answer of {request.host}, found: {str(error) or type(error).__name__}"
        return Failed("connection", found, {"sent": is_sent})
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpAnswer(response.status, headers, body)


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _resolved(
    request: HttpRequest, left: Callable[[], float], *, allow_private: bool
) -> list[tuple[socket.AddressFamily, Any]]:
    """The addresses of the host; one that is not allowed among them refuses them all."""
    # The resolver knows no deadline, so it is asked in a thread that can be left behind.
    ask = partial(socket.getaddrinfo, request.host, request.port, type=socket.SOCK_STREAM)
    answers = within(left(), f"cra resolving {request.host}", ask)
    for _, _, _, _, address in answers:
        # A link-local address carries its zone as a number beside the text.
        has_zone = len(address) == 4 and address[3] != 0
        if has_zone or not is_allowed(str(address[0]), allow_private=allow_private):
            raise Stopped(
                "refused",
                f"expected a public address of {request.host}, found {address[0]}",
                fix="allow_private permits private addresses, and never those of metadata services",
            )
    return [(family, address) for family, _, _, _, address in answers]


def _connected(
    request: HttpRequest,
    addresses: list[tuple[socket.AddressFamily, Any]],
    left: Callable[[], float],
) -> socket.socket:
    """A connection to the first address that takes one; with https, to who the name belongs to."""
    failure = OSError("no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(left())
            sock.connect(address)
            break
        except TimeoutError:
            sock.close()
            raise
        except OSError as error:
            sock.close()
            failure = error
    else:
        raise failure
    if request.scheme == "http":
        return sock
    import ssl  # 3 ms, for those who have use for it

    try:
        return ssl.create_default_context().wrap_socket(sock, server_hostname=request.host)
    except OSError:
        sock.close()
        raise


class _Channel(io.RawIOBase):
    """A connection as http.client wants it, with one deadline over all its reads and writes."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        super().__init__()
        self._sock = sock
        self._left = left

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self._left())
            rest = rest[self._sock.send(rest) :]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._left())
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Channel(self._sock, self._left))


def _sent(method: str, request: HttpRequest, channel: _Channel) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(request.host, request.port)
    connection.sock = channel
    connection.putrequest(method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.putheader("Accept-Encoding", "identity")
    connection.putheader("Connection", "close")
    if request.body is not None:
        connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)
    return connection.getresponse()


def _body(response: http.client.HTTPResponse, limit: int) -> bytes:
    body = response.read(limit + 1)
    if len(body) > limit:
        raise Stopped("too_large", f"expected an answer of at most {limit} bytes, found more")
    if response.length:
        # read() with a size keeps silent about an end that came too soon.
        raise http.client.IncompleteRead(body, response.length)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Stopped("invalid_result", f"expected an answer as it is, found {encoding!r:.80}")
    return body
