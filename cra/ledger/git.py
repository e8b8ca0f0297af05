"""Git, asked so that it runs nothing which a repository names.

Whoever can write a project can write its `.git/config`, and much in there is a program that git
starts: a monitor, hooks, what checks a signature, what a missing object is fetched with. So a
question is put to a command that has no use for most of them, and what is left is switched off.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_OFF: Final = {
    "commit.gpgSign": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "diff.external": "",
    "gpg.openpgp.program": "false",
    "gpg.program": "false",
    "gpg.ssh.defaultKeyCommand": "false",
    "gpg.ssh.program": "false",
    "gpg.x509.program": "false",
    "log.showSignature": "false",
}
# No way to another repository is allowed, whatever a configuration says of it: an object that is
# missing here stays missing. A replaced object is not read for the one that was meant.
_ENVIRON: Final = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ASKPASS": "false",
    "GIT_EDITOR": "false",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# Who a commit is by, and the user's own settings. The rest may name another repository: a hook's.
_KEPT: Final = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_")


def run_git(
    directory: Path,
    environ: Mapping[str, str],
    *arguments: str,
    stdin: bytes = b"",
    timeout: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a directory: no shell, no pager, no question, and answers in English.

    Raises FileNotFoundError if there is no git, TimeoutExpired.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT)
    }
    off = [word for name, value in _OFF.items() for word in ("-c", f"{name}={value}")]
    return subprocess.run(
        ["git", "--no-pager", *off, "-C", str(directory), *arguments],
        env={**kept, **_ENVIRON},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=timeout,
    )
