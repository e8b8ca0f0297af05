"""What a replay leaves for CI: a JUnit file, annotations, and a summary."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cra.amount import counted
from cra.cli import output

if TYPE_CHECKING:
    from cra.replay.check import Report

# GitHub shows ten annotations of a kind for a step, and drops the others without a word.
_MAX_ANNOTATIONS: Final = 10
# A summary over 1 MiB is dropped as a whole.
_MAX_SUMMARY: Final = 900_000
_MAX_LISTED: Final = 20
_MAX_TEXT: Final = 20_000
# What XML 1.0 cannot hold, however it is written.
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report_to_ci(
    reports: Sequence[Report], stale: Sequence[str], *, junit: Path | None, github: bool | None
) -> None:
    """Write the JUnit file, if one is wanted, and speak to GitHub where it runs this."""
    if junit is not None:
        from cra.cli.arguments import save

        save(junit, [_junit(reports, stale)])
    if github or (github is None and os.environ.get("GITHUB_ACTIONS") == "true"):
        for line in _annotations(reports, stale):
            # Beside the answer, which may be JSON; the runner reads both.
            sys.stderr.write(f"{output.safe(line)}\n")
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(_summary(reports, stale))


def _junit(reports: Sequence[Report], stale: Sequence[str]) -> bytes:
    from xml.etree import ElementTree as Xml

    failed = sum(one.state == "different" for one in reports) + len(stale)
    broken = sum(one.state in ("refused", "integrity") for one in reports)
    counts = {"tests": len(reports) + len(stale), "failures": failed, "errors": broken}
    root = Xml.Element("testsuites", {key: str(value) for key, value in counts.items()})
    suite = Xml.SubElement(
        root, "testsuite", {"name": "cra replay", **{k: str(v) for k, v in counts.items()}}
    )
    for one in reports:
        case = Xml.SubElement(
            suite, "testcase", {"name": _plain(one.name), "classname": _plain(str(one.manifest))}
        )
        if one.error is not None:
            tag = Xml.SubElement(
                case, "error", {"type": one.error[0], "message": _plain(one.error[1])}
            )
            tag.text = _plain("\n".join(text for text in one.error if text))
        elif one.state == "different":
            tag = Xml.SubElement(
                case,
                "failure",
                {"type": str(one.compatibility), "message": _plain(_first(one))},
            )
            tag.text = _plain("\n".join(_lines(one))[:_MAX_TEXT])
    for path in stale:
        case = Xml.SubElement(suite, "testcase", {"name": _plain(path), "classname": "left over"})
        Xml.SubElement(case, "failure", {"message": "it belongs to no golden"})
    Xml.indent(root)
    text: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _annotations(reports: Sequence[Report], stale: Sequence[str]) -> Iterator[str]:
    """At most ten errors and ten warnings, the most severe first; the last says how many more."""
    errors: list[tuple[int, str, int, str, str]] = []
    warnings: list[tuple[int, str, int, str, str]] = []
    for one in reports:
        if one.error is not None:
            rank = 0 if one.state == "integrity" else 1
            errors.append((rank, str(one.manifest), 1, one.name, one.error[1]))
            continue
        trace = _trace(one)
        for each in one.differences:
            if each.follows:
                continue
            line = 1 if each.golden is None else each.golden + 1
            told = (2, trace, line, one.name, each.told)
            (errors if each.significance == "breaking" else warnings).append(told)
    errors += [(3, path, 1, "left over", "it belongs to no golden") for path in stale]
    for level, found in (("error", errors), ("warning", warnings)):
        found.sort(key=lambda one: one[0])
        more = len(found) - _MAX_ANNOTATIONS
        for at, (_, file, line, name, text) in enumerate(found[:_MAX_ANNOTATIONS]):
            is_last = at == _MAX_ANNOTATIONS - 1 and more > 0
            said = f"{text} (and {more} more: see the log)" if is_last else text
            place = f"file={_property(file)},line={line},title={_property(f'cra replay: {name}')}"
            yield f"::{level} {place}::{_data(said)}"


def _summary(reports: Sequence[Report], stale: Sequence[str]) -> str:
    passed = sum(one.state == "passed" for one in reports)
    parts = [
        f"### cra replay: {passed} passed, {len(reports) - passed} failed\n\n",
        "| golden | verdict | compatibility | differences |\n| --- | --- | --- | --- |\n",
    ]
    for one in reports:
        own = sum(not each.follows for each in one.differences)
        parts.append(
            f"| {_cell(one.name)} | {one.state} | {one.compatibility or ''} | {own or ''} |\n"
        )
    parts += [f"\nLeft over: `{_cell(path)}`\n" for path in stale]
    for one in reports:
        if one.state == "passed":
            continue
        body = "\n".join(_lines(one))[:_MAX_TEXT].replace("```", "` ` `")
        parts.append(
            f"\n<details><summary>{_cell(one.name)}: {_cell(_first(one))}</summary>\n\n"
            f"```text\n{_visible(body)}\n```\n</details>\n"
        )
    parts.append("\nTo accept: `cra replay`, then `cra golden review`, and commit the goldens.\n")
    text, size = [], 0
    for part in parts:
        size += len(part.encode("utf-8", "replace"))
        if size > _MAX_SUMMARY:
            text.append("\n… cut here: the log has all.\n")
            break
        text.append(part)
    return "".join(text)


def _lines(one: Report) -> list[str]:
    if one.error is not None:
        names = ("", "", "where: ", "fix: ")
        return [f"{name}{text}" for name, text in zip(names, one.error, strict=True) if text]
    lines = [f"since it was recorded: {text}" for text in one.changed]
    own = [each for each in one.differences if not each.follows]
    lines += [f"{each.significance} {each.type} {each.path}: {each.told}" for each in own]
    if len(own) > _MAX_LISTED:
        lines = [*lines[:_MAX_LISTED], f"and {len(own) - _MAX_LISTED} more"]
    follow = len(one.differences) - len(own)
    return [*lines, f"{counted(follow, 'difference')} follow from these"] if follow else lines


def _first(one: Report) -> str:
    if one.error is not None:
        return one.error[1].partition("\n")[0]
    return one.differences[0].told if one.differences else "it differs"


def _trace(one: Report) -> str:
    from cra.replay.golden import trace_of

    return os.path.relpath(trace_of(one.manifest))


def _plain(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _visible(text: str) -> str:
    return "\n".join(output.safe(line) for line in text.split("\n"))


def _cell(text: str) -> str:
    return output.safe(text).replace("|", "\\|").replace("<", "&lt;")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
