"""One HTTP request to an allowed host: no proxies, no redirects, no compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cra.atlas.model import HttpExecutor
from cra.runtime.executors.work import (
    Done,
    Failed,
    Outcome,
    Work,
    parse_json,
    text_or_bytes,
)

if TYPE_CHECKING:
    from cra.runtime.executors.exchange import HttpAnswer

# What of an answer's headers says something about the answer; the others are about the server.
_TOLD: Final = (
    "content-type",
    "date",
    "etag",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "x-request-id",
)


def run(executor: HttpExecutor, work: Work) -> Outcome:
    """The result is `{status, headers, body}`; a redirect or a status from 400 on is a failure."""
    # http.client and its kind take 14 ms, for those who have use for it.
    from cra.runtime.executors.exchange import exchange
    from cra.runtime.executors.request import request_of

    answer = exchange(executor, request_of(executor, work), work.timeout)
    return answer if isinstance(answer, Failed) else _judged(executor, answer)


def _judged(executor: HttpExecutor, answer: HttpAnswer) -> Outcome:
    status = answer.status
    headers = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
    details = {"status": status, "headers": headers}
    if 300 <= status < 400:
        where = answer.headers.get("location")
        message = f"expected an answer, found a redirect ({status}), which is not followed"
        return Failed("redirect", message, details | {"location": where})
    if not 200 <= status < 300:
        message = f"expected a status of success, found {status}"
        return Failed("http_status", message, details | {"body": answer.body})
    body: Any = text_or_bytes(answer.body)
    if executor.output == "json":
        body = parse_json(answer.body, "the server") if answer.body else None
    return Done({"status": status, "headers": headers, "body": body})
