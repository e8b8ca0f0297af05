"""Requests: where they may go, what a value can add to them, and how long they may take."""

from __future__ import annotations

import _socket
import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from cra.atlas.model import HttpExecutor
from cra.runtime.executors import run
from cra.runtime.executors.work import Done, Failed
from tests.executing import work_of

JSON_ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
)


class Server:
    """Answers on a loopback port with what it is given: bytes, pauses in seconds, or its end."""

    def __init__(self):
        self.script = [JSON_ANSWER]
        self.requests = []
        self.tls = None
        self.names = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30)
        self.port = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._over.set()
        # shutdown wakes the thread out of accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _serve(self):
        for _ in range(50):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    self._answer(connection)
                except OSError:
                    continue

    def _answer(self, connection):
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        self.requests.append(self._read(connection))
        for step in self.script:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif self._over.wait(step):
                return
        connection.close()

    def _read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            while name.lower() == b"content-length" and len(body) < int(value):
                body += connection.recv(65_536)
        return head.decode() + "\r\n\r\n" + body.decode()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def connected(monkeypatch):
    """Notes each connection; only one to the loopback is made, as if nobody listened elsewhere."""
    tried = []

    def connect(sock, address):
        tried.append(address[0])
        if sock.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError(111, "Connection refused")
        return _socket.socket.connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def resolving(monkeypatch, *answers):
    """A resolver that gives one answer after the other, each a list of addresses."""
    asked = []

    def getaddrinfo(host, port, **_):
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        if isinstance(found, Exception):
            raise found
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (text, port, 0, 0))
            if ":" in text
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))
            for text in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def ask(server, path="/", arguments=None, *, timeout=20.0, method="GET", **options):
    host = f"127.0.0.1:{server.port}"
    options = {"hosts": (host,), "allow_private": True} | options
    executor = HttpExecutor(method, f"http://{host}{path}", **options)
    return run(executor, work_of(arguments, timeout=timeout))


def fetch(url, *, hosts=("api.example.com",), arguments=None, **options):
    return run(HttpExecutor("GET", url, hosts, **options), work_of(arguments))


def test_an_answer_has_status_chosen_headers_and_body(server):
    server.script = [
        b"HTTP/1.1 201 Created\r\nETag: x\r\nServer: s\r\nSet-Cookie: c\r\n"
        b'Content-Length: 8\r\n\r\n{"a": 1}'
    ]

    assert ask(server) == Done({"status": 201, "headers": {"etag": "x"}, "body": {"a": 1}})


def test_a_request_says_little_of_its_sender(server):
    ask(server, "/a?b=c")

    assert server.requests == [
        f"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUser-Agent: cra\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ]


def test_the_named_arguments_are_the_body(server):
    ask(server, "/", {"b": [1], "a": "ä", "secret": 1}, method="POST", body=("b", "a", "absent"))

    head, _, body = server.requests[0].partition("\r\n\r\n")
    assert body == '{"a":"ä","b":[1]}'
    assert "Content-Type: application/json\r\n" in head
    assert head.startswith("POST / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("7", "/t/7/x?q=7"),
        ("a/b", "/t/a%2Fb/x?q=a%2Fb"),
        ("?admin=1", "/t/%3Fadmin%3D1/x?q=%3Fadmin%3D1"),
        ("#", "/t/%23/x?q=%23"),
        ("a&b=c", "/t/a%26b%3Dc/x?q=a%26b%3Dc"),
        ("%2e", "/t/%252e/x?q=%252e"),
        ("a b\r\nX: y", "/t/a%20b%0D%0AX%3A%20y/x?q=a%20b%0D%0AX%3A%20y"),
        ("ä{value}", "/t/%C3%A4%7Bvalue%7D/x?q=%C3%A4%7Bvalue%7D"),
        ("@evil.example", "/t/%40evil.example/x?q=%40evil.example"),
        (-5, "/t/-5/x?q=-5"),
        (True, "/t/true/x?q=true"),
    ],
)
def test_a_value_in_a_url_is_only_itself(server, value, path):
    outcome = ask(server, "/t/{value}/x?q={value}", {"value": value})

    assert isinstance(outcome, Done), outcome
    assert server.requests[0].split(" ")[1] == path


@pytest.mark.parametrize("value", ["..", ".", "../admin", "a/../b", "..\\x", "", None, [1], {}])
def test_a_value_that_would_name_another_path_is_refused(server, value):
    failed = ask(server, "/tickets/{value}", {"value": value}, method="DELETE")

    assert isinstance(failed, Failed)
    assert failed.code == "refused"
    assert server.requests == []


def test_an_empty_value_is_fine_in_a_query(server):
    assert isinstance(ask(server, "/?q={value}", {"value": ""}), Done)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://api.example.com.evil.example/",
        "https://api.example.com@evil.example/",
        "https://user:word@api.example.com/",
        "https://api.example.com:8443/",
        "http://api.example.com:443/",
        "https://api.example.com%2f@evil.example/",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com#@evil.example/",
        "https://api.example.com./",
        "https://{value}/",
        "https://api.example.com{value}/",
        "https://api.exa\tmple.com/",
        "https:///path",
        "https://[::1/",
        "//api.example.com/",
        "file:///etc/passwd",
        "ftp://api.example.com/",
        "https://api.example.com:port/",
        "https://api.example.com/a b",
        "https://api.example.com/ä",
        "https://api.example.com/a/../b",
        "https://api.example.com/%2e%2e/b",
        "https://api.example.com/%zz",
        "https://api.example.com/{value",
        "https://api.example.com/?k=${secret:TOKEN}",
        f"https://{'a' * 64}.example/",
    ],
)
def test_a_url_that_is_not_plainly_one_of_a_listed_host_is_refused(monkeypatch, url):
    asked = resolving(monkeypatch, ["8.8.8.8"])

    failed = fetch(url, arguments={"value": ".evil.example"})

    assert isinstance(failed, Failed)
    assert failed.code == "refused"
    assert asked == []


@pytest.mark.parametrize(
    ("url", "hosts", "address"),
    [
        ("https://api.example.com/", ("API.example.com",), "8.8.8.8"),
        ("https://API.Example.Com:443/", ("api.example.com",), "8.8.8.8"),
        ("https://api.example.com:8443/", ("b.example", "api.example.com:8443"), "8.8.8.8"),
        ("https://bücher.example/", ("bücher.example",), "8.8.8.8"),
        ("https://bücher.example/", ("xn--bcher-kva.example",), "8.8.8.8"),
        ("https://[2606:4700::1]/", ("[2606:4700::1]",), "2606:4700::1"),
        ("https://api.example.com/", ("api.example.com",), "2606:4700::1"),
    ],
)
def test_a_listed_host_is_connected_to(monkeypatch, connected, url, hosts, address):
    resolving(monkeypatch, [address])

    failed = fetch(url, hosts=hosts)

    assert isinstance(failed, Failed)
    assert failed.code == "connection"
    assert connected == [address]


def test_no_host_is_listed_by_an_empty_list(monkeypatch):
    asked = resolving(monkeypatch, ["8.8.8.8"])

    assert fetch("https://api.example.com/", hosts=()).code == "refused"
    assert asked == []


PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "::1",
    "fc00::1",
    "fdff::1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100::1",
    "5f00::1",
]


@pytest.mark.parametrize("address", PRIVATE + NEVER)
def test_a_name_that_resolves_to_an_address_that_is_not_public_is_refused(
    monkeypatch, connected, address
):
    resolving(monkeypatch, [address])

    failed = fetch("https://api.example.com/")

    assert isinstance(failed, Failed)
    assert failed.code == "refused"
    assert connected == []


@pytest.mark.parametrize("address", NEVER)
def test_private_does_not_mean_metadata_disguised_or_reserved(monkeypatch, connected, address):
    resolving(monkeypatch, [address])

    assert fetch("https://api.example.com/", allow_private=True).code == "refused"
    assert connected == []


@pytest.mark.parametrize("address", sorted(set(PRIVATE) - {"127.0.0.1", "::1", "127.8.9.1"}))
def test_private_addresses_are_connected_to_where_that_is_allowed(monkeypatch, connected, address):
    resolving(monkeypatch, [address])

    assert fetch("https://api.example.com/", allow_private=True).code == "connection"
    assert connected == [address]


@given(st.ip_addresses())
def test_no_address_is_public_that_the_standard_library_calls_private(address):
    from cra.runtime.executors.address import is_allowed

    is_public = is_allowed(str(address), allow_private=False)

    assert not is_public or (address.is_global and not address.is_multicast)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001", "0"])
def test_an_address_in_an_odd_spelling_is_judged_by_what_it_means(connected, host):
    failed = fetch(f"http://{host}/", hosts=(host,))

    assert isinstance(failed, Failed)
    assert connected == []


def test_one_address_that_is_not_allowed_refuses_all(monkeypatch, connected):
    resolving(monkeypatch, ["8.8.8.8", "10.0.0.1"])

    assert fetch("https://api.example.com/").code == "refused"
    assert connected == []


def test_an_answer_that_changes_between_check_and_connection_changes_nothing(
    monkeypatch, connected
):
    asked = resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])

    fetch("https://api.example.com/")

    assert asked == ["api.example.com"]
    assert connected == ["8.8.8.8"]


def test_the_next_address_is_tried_when_one_refuses(monkeypatch, server, connected):
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    host = f"api.example.com:{server.port}"

    done = fetch(f"http://{host}/", hosts=(host,), allow_private=True)

    assert isinstance(done, Done)
    assert connected == ["127.0.0.2", "127.0.0.1"]


def test_a_name_that_does_not_resolve_is_a_failure(monkeypatch):
    resolving(monkeypatch, socket.gaierror(-2, "Name or service not known"))

    failed = fetch("https://api.example.com/")

    assert (failed.code, failed.details) == ("connection", {"sent": False})


def test_a_proxy_of_the_environment_is_not_used(monkeypatch, server):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert isinstance(ask(server), Done)


@pytest.mark.parametrize(
    ("path", "arguments", "target"),
    [
        ("/", {}, "/"),
        ("/", {"page": 2}, "/?page%5Bnumber%5D=2"),
        (
            "/?a=1",
            {"page": 2, "tags": ["x&y=", "z"]},
            "/?a=1&page%5Bnumber%5D=2&tag=x%26y%3D&tag=z",
        ),
        ("/", {"tags": [], "page": None}, "/"),
        ("/", {"tags": "a b#c"}, "/?tag=a%20b%23c"),
    ],
)
def test_the_query_holds_what_is_given_of_its_arguments(server, path, arguments, target):
    ask(server, path, arguments, query={"page[number]": "page", "tag": "tags"})

    assert server.requests[0].startswith(f"GET {target} HTTP/1.1\r\n")


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [{}], ["a", None]])
def test_a_value_that_no_query_has_a_form_for_is_refused(server, value):
    failed = ask(server, arguments={"value": value}, query={"value": "value"})

    assert isinstance(failed, Failed)
    assert failed.code == "refused"
    assert server.requests == []


def test_a_secret_goes_into_a_header_and_is_masked_in_the_answer(server):
    body = b'{"echo": "Bearer tok\\"en/42"}'
    server.script = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body]

    done = ask(
        server,
        headers={"Authorization": "Bearer ${secret:TOKEN}", "X-Id": "{id}"},
        arguments={"id": 7},
    )

    assert 'Authorization: Bearer tok"en/42\r\nX-Id: 7\r\n' in server.requests[0]
    assert done.result["body"] == {"echo": "Bearer ${secret:TOKEN}"}


def test_a_secret_is_masked_in_a_failure(server):
    server.script = [b'HTTP/1.1 401 No\r\nContent-Length: 19\r\n\r\nbad key: tok"en/42 ']

    failed = ask(server, headers={"Authorization": "${secret:TOKEN}"})

    assert failed.code == "http_status"
    assert failed.details["body"] == "bad key: ${secret:TOKEN} "


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nY: b"},
        {"X": "a\nb"},
        {"X": "a\0b"},
        {"X": "ä"},
        {"X": "{value}"},
        {"X": "${secret:LINES}"},
        {"X": "${secret:OTHER}"},
        {"X\r\nY": "b"},
        {"X Y": "b"},
        {"": "b"},
        {"Host": "evil.example"},
        {"transfer-encoding": "chunked"},
        {"Content-Length": "0"},
        {"Accept-Encoding": "gzip"},
        {"Proxy-Authorization": "b"},
    ],
)
def test_a_header_that_would_be_more_than_one_is_refused(server, headers):
    failed = ask(server, headers=headers, arguments={"value": "a\r\nX-Evil: 1"})

    assert isinstance(failed, Failed)
    assert failed.code == "refused"
    assert server.requests == []


def test_a_declared_header_replaces_cras_own(server):
    ask(server, headers={"user-agent": "mine"})

    assert server.requests[0].lower().count("user-agent") == 1
    assert "user-agent: mine" in server.requests[0]


def test_a_secret_does_not_go_openly_to_a_public_host(monkeypatch, connected):
    resolving(monkeypatch, ["8.8.8.8"])

    failed = fetch("http://api.example.com/", headers={"X": "${secret:TOKEN}"})

    assert failed.code == "refused"
    assert connected == []


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(server, status):
    head = f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{server.port}/other\r\n"
    server.script = [f"{head}Content-Length: 0\r\n\r\n".encode()]

    failed = ask(server)

    assert failed.code == "redirect"
    assert failed.details["location"].endswith("/other")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 418, 500, 503])
def test_a_status_of_error_is_a_failure_with_what_the_server_said(server, status):
    server.script = [f"HTTP/1.1 {status} No\r\nContent-Length: 3\r\n\r\nwhy".encode()]

    failed = ask(server)

    assert (failed.code, failed.details["status"]) == ("http_status", status)
    assert failed.details["body"] == "why"


@pytest.mark.parametrize(
    ("answer", "output", "body"),
    [
        (b"Content-Length: 2\r\n\r\nhi", "text", "hi"),
        (b"Content-Length: 1\r\n\r\n\xff", "text", b"\xff"),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n", "json", [1]),
        (b"\r\nuntil the end", "text", "until the end"),
        (b"Content-Length: 0\r\n\r\n", "json", None),
    ],
)
def test_a_body_is_read_however_its_end_is_marked(server, answer, output, body):
    server.script = [b"HTTP/1.1 200 OK\r\n" + answer]

    assert ask(server, output=output).result["body"] == body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"nonsense\r\n\r\n", "connection"),
        (b"", "connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort", "connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "connection"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "connection"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "invalid_result"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
            "invalid_result",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * 200, "too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200, "too_large"),
    ],
)
def test_an_answer_that_is_broken_or_too_large_is_a_failure(server, answer, code):
    server.script = [answer]

    failed = ask(server, max_response_bytes=100)

    assert isinstance(failed, Failed)
    assert failed.code == code


def test_an_answer_as_long_as_the_limit_is_kept(server):
    assert isinstance(ask(server, max_response_bytes=8), Done)


DRIPS = {
    "silent": [60],
    "in the status line": [step for _ in range(200) for step in (b"H", 0.1)],
    "in the headers": [
        b"HTTP/1.1 200 OK\r\n",
        *[step for _ in range(200) for step in (b"x", 0.1)],
    ],
    "in the body": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
        *[step for _ in range(200) for step in (b"x", 0.1)],
    ],
    "in a chunk": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
        *[step for _ in range(200) for step in (b"x", 0.1)],
    ],
    "before the answer": [step for _ in range(200) for step in (b"HTTP/1.1 100 C\r\n\r\n", 0.1)],
}


@pytest.mark.parametrize("script", DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_meets_one_deadline(server, script):
    server.script = script
    start = time.monotonic()

    failed = ask(server, timeout=0.5)

    assert isinstance(failed, Failed)
    assert (failed.code, failed.details) == ("timeout", {"sent": True})
    assert time.monotonic() - start < 10


def test_a_resolver_that_hangs_meets_the_deadline(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))

    executor = HttpExecutor("GET", "https://api.example.com/", ("api.example.com",))
    failed = run(executor, work_of(timeout=0.3))
    over.set()

    assert (failed.code, failed.details) == ("timeout", {"sent": False})


def certificate(directory, name):
    """A certificate of its own authority for a name, and the file that holds it with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    try:
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    except ValueError:
        names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * 100))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.mark.parametrize(
    ("certified", "is_trusted", "outcome"),
    [
        ("api.example.com", True, Done),
        ("api.example.com", False, Failed),
        ("other.example.com", True, Failed),
        ("127.0.0.1", True, Failed),
    ],
)
def test_the_certificate_is_held_against_the_name_not_the_address(
    monkeypatch, tmp_path, server, certified, is_trusted, outcome
):
    path = certificate(tmp_path, certified)
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(path)
    server.tls.sni_callback = lambda _, name, __: server.names.append(name)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    resolving(monkeypatch, ["127.0.0.1"])
    host = f"api.example.com:{server.port}"

    result = fetch(f"https://{host}/", hosts=(host,), allow_private=True)

    assert isinstance(result, outcome), result
    assert server.names == ["api.example.com"]
    assert len(server.requests) == (outcome is Done)


def test_a_body_of_a_hundred_kilobytes_arrives_whole(server):
    text = "x" * 100_000

    ask(server, arguments={"text": text}, method="PUT", body=("text",))

    assert json.loads(server.requests[0].partition("\r\n\r\n")[2]) == {"text": text}
