"""A program of its own: loads a file of an atlas as a call would, and says which functions it has.

Its parent (functions.py) asks on stdin. The answer goes to stdout, `{"found": …}` or
`{"failed": …}`; what the file prints goes to stderr.
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
    sys.path.insert(0, request["home"])
    import traceback

    from cra.adapters.described import described
    from cra.runtime.executors.loader import folder_of, load

    # What lies beside cra is no business of the atlas.
    sys.path.remove(request["home"])
    files = {name: base64.b64decode(data) for name, data in request["files"].items()}
    folder = folder_of(request["package"])
    try:
        module = load(request["package"], files, request["file"])
        said: dict[str, object] = {"found": described(module, request["name"]), "folder": folder}
    except BaseException as error:  # noqa: BLE001  # what the file's code raises is its mistake
        frames = [
            [frame.filename, frame.lineno or 0]
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename.startswith(folder)
        ]
        if isinstance(error, SyntaxError) and (error.filename or "").startswith(folder):
            frames.append([error.filename, error.lineno or 0])
        # Of a mistake in the text, its message has the file as it is called here.
        told = error.msg if isinstance(error, SyntaxError) else error
        words = f"{type(error).__qualname__}: {told}"
        said = {"failed": words, "frame": frames[-1] if frames else None, "folder": folder}
    with os.fdopen(answer, "wb") as stream:
        stream.write(json.dumps(said).encode())


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    # Threads that the file left behind keep nobody waiting.
    os._exit(0)
