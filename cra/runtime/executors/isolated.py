"""A program of its own: calls a function of an atlas, as its parent (python.py) asks on stdin.

The answer goes to stdout, `{"result": …}` in the wrapped form or `{"failed": …}`; what the function
prints goes to stderr.
"""

from __future__ import annotations

import base64
import json
import os
import sys


def main() -> None:
    request = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    os.dup2(2, 1)
    home = request.pop("home")
    sys.path.insert(0, home)
    from cra import canonical
    from cra.runtime.executors.call import FunctionCall, perform
    from cra.runtime.executors.work import Failed

    # What lies beside cra is no business of the atlas.
    sys.path.remove(home)
    request["files"] = {name: base64.b64decode(data) for name, data in request["files"].items()}
    outcome = perform(FunctionCall(**request))
    if isinstance(outcome, Failed):
        failed = {"code": outcome.code, "message": outcome.message, "details": outcome.details}
        text = json.dumps({"failed": failed}).encode()
    else:
        text = canonical.text_of({"result": canonical.wrap(outcome.result)}, sort_keys=False)
    with os.fdopen(answer, "wb") as stream:
        stream.write(text)


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    # Threads that the function left behind do not keep its result waiting.
    os._exit(0)
