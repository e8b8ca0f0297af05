"""cra passes every conformance case, and a run says what a case expects and what was found."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cra import __version__
from cra.cli import run
from cra.cli.schema import SCHEMAS
from cra.conformance import run as runner
from cra.conformance.case import read_suite
from cra.conformance.match import Names
from cra.conformance.report import ConformanceReport
from cra.conformance.run import run_suite
from cra.errors import AtlasError, NotFound
from cra.policy.schema import compile_schema
from tests.program import ROOT, cra

SUITE = ROOT / "specs" / "conformance"
GOLDENS = {"golden.simple-resolve", "golden.policy-deny", "golden.multi-action"}
ID = "0192f0c1-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    done = cra(tmp_path_factory.mktemp("elsewhere"), "conformance", "--json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def put(place: Path, document: Any, name: str = "cases/policy.json") -> Path:
    """A file of cases, in a directory of its own."""
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(json.dumps(document), encoding="utf-8")
    return place


def shipped(test_id: str) -> tuple[str, Any, Any]:
    """A case of the suite: the name of its file, the file with this case alone, and the case."""
    for path in SUITE.glob("*/*.json"):
        document = json.loads(path.read_bytes())
        for case in document["cases"]:
            if case["test_id"] == test_id:
                return f"{path.parent.name}/{path.name}", {**document, "cases": [case]}, case
    raise LookupError(test_id)


def put_changed(place: Path, test_id: str, change: Callable[[Any], object]) -> Path:
    name, document, case = shipped(test_id)
    change(case)
    return put(place, document, name)


def run_in(place: Path) -> ConformanceReport:
    return run_suite(read_suite(place), lambda _: None)


def simple(test_id: str = "policy.x", **more: Any) -> dict[str, Any]:
    text = {"type": "text", "of": "action_id", "text": "a.b", "valid": True}
    return {"test_id": test_id, "title": "a claim", "section": "11", **text, **more}


# What cra is measured by


def test_every_case_passes(report):
    code, found = report

    assert [one for one in found["results"] if one["status"] != "passed"] == []
    assert (code, found["conformance_level"]) == (0, "full")


def test_the_report_is_of_its_schema_and_adds_up(report):
    _, found = report

    assert compile_schema(SCHEMAS["conformance-report"][1]()).flaws(found) == ()
    assert (found["implementation"], found["version"]) == ("cra", __version__)
    totals, ids = found["test_run"], [one["test_id"] for one in found["results"]]
    assert totals["total"] == totals["passed"] + totals["failed"] == len(ids) == len(set(ids))
    assert {one for one in ids if one.startswith("golden.")} == GOLDENS


def test_every_case_cites_a_section_that_there_is(report):
    _, found = report
    protocol = (ROOT / "specs" / "PROTOCOL.md").read_text(encoding="utf-8")
    sections = {}
    for section in re.split(r"^##+ ", protocol, flags=re.MULTILINE)[1:]:
        number = section.split()[0].rstrip(".")
        sections[number] = re.findall(r"^([0-9])\. ", section, flags=re.MULTILINE)

    for case in found["results"]:
        number, _, rule = case["details"]["section"].partition(" ")
        assert number in sections, case["test_id"]
        assert not rule or rule.strip("()") in sections[number], case["test_id"]


def test_the_page_beside_the_cases_names_each_kind_each_level_and_each_area():
    page = (SUITE / "CONFORMANCE.md").read_text(encoding="utf-8")
    files = [json.loads(path.read_bytes()) for path in SUITE.glob("*/*.json")]
    words = {case["type"] for file in files for case in file["cases"]}
    words |= {file["level"] for file in files}
    words |= {path.stem for path in (SUITE / "cases").glob("*.json")}

    assert [word for word in sorted(words) if f"`{word}`" not in page] == []


# A case that is not met

WRONG = {
    "a document": (
        "schema.request.resolve", lambda case: case.update(valid=False),
        [("the schema", "refused", "valid"), ("the reader", "refused", "valid")],
    ),
    "a text": (
        "identifier.one-segment", lambda case: case.update(valid=True),
        [("action_id", "valid", "refused")],
    ),
    "a pattern": (
        "pattern.match.prefix", lambda case: case.update(matches=False),
        [("ticket.*", "no match", "a match")],
    ),
    "a range": (
        "semver.match.caret", lambda case: case.update(text="3.0.0"),
        [("^1.2.3", "a match", "no match")],
    ),
    "an order": (
        "semver.order.numbers", lambda case: case.update(versions=["2.0.0", "1.0.0"]),
        [("2.0.0, 1.0.0", "the lower one first", "another order")],
    ),
    "a project": (
        "project.dependency", lambda case: case.update(valid=False),
        [("the project", "refused", "valid")],
    ),
    "a member of an answer": (
        "policy.rule.named",
        lambda case: case["steps"][1]["answer"].update(policy_id="another"),
        [("step 2: answer.policy_id", '"another"', '"reading"')],
    ),
    "a member that is not there": (
        "policy.rule.named", lambda case: case["steps"][1]["answer"].update(more=1),
        [("step 2: answer.more", "1", "no such member")],
    ),
    "the order of a list": (
        "policy.rule.all-actions",
        lambda case: case["steps"][0]["answer"]["allowed_actions"].reverse(),
        [
            ("step 1: answer.allowed_actions[0].action_id", '"ticket.close"', '"ticket.read"'),
            ("step 1: answer.allowed_actions[1].action_id", '"ticket.read"', '"ticket.close"'),
        ],
    ),
    "the length of a list": (
        "policy.default-deny.no-atlas",
        lambda case: case["steps"][0]["answer"].update(denied_actions=[{}]),
        [("step 1: answer.denied_actions", "1 items", "0: []")],
    ),
    "a refusal": (
        "request.malformed", lambda case: case["steps"][0].update(answer={}),
        [("step 1: answer", "{}", "null")],
    ),
    "an event": (
        "events.compact.repeated",
        lambda case: case["steps"][1].update(events=["action.approved", "action.failed"]),
        [("step 2: events[1].event_type", '"action.failed"', '"action.executed"')],
    ),
    "no event": (
        "events.compact.repeated",
        lambda case: case["steps"][2].update(events=["action.denied"]),
        [("step 3: events", "1 items", "0: []")],
    ),
    "a member too many in a golden": (
        "golden.policy-deny", lambda case: case["resolution"].pop("denylist"),
        [("resolution.denylist", "no such member", '[{"pattern": "*.purge", "reason": "what was '
          'written is kept"}, {"pattern": "ticket.*", "reason": "the desk is closed"}]')],
    ),
    "a world that cannot be": (
        "policy.rule.all-actions",
        lambda case: case["given"]["policies"].append({"policy_id": "x", "type": "block"}),
        [("the run", "an answer", 'CRA-2102 [1].type: expected one of deny, require_approval, '
          'rate_limit, budget, allow, redact, scope, found "block"')],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("test_id", "change", "differences"), WRONG.values(), ids=WRONG)
def test_what_was_not_found_is_reported_with_what_was(tmp_path, test_id, change, differences):
    found = run_in(put_changed(tmp_path, test_id, change))

    [case] = found.results
    told = [(one.at, one.expected, one.found) for one in case.details.differences]
    assert (case.test_id, case.status, told) == (test_id, "failed", differences)
    assert case.error == str(case.details.differences[0])
    assert (found.test_run.total, found.test_run.failed) == (1, 1)
    assert found.conformance_level == "none"


def test_what_follows_a_step_that_failed_is_not_reported(tmp_path):
    def change(case: Any) -> None:
        for step in case["steps"]:
            step["answer"]["status"] = "another"

    [case] = run_in(put_changed(tmp_path, "limit.rate.others", change)).results

    assert [one.at for one in case.details.differences] == ["step 1: answer.status"]


def test_an_answer_that_is_no_document_of_its_schema_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "ask", lambda *told, ask=runner.ask: {**ask(*told), "more": 1})
    [case] = run_in(put_changed(tmp_path, "policy.rule.named", dict)).results

    assert "carp-resolution" in str(case.error)
    assert "more" in str(case.error)


def test_a_refusal_that_is_recorded_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "ask", lambda *told, ask=runner.ask: ask(*told) and None)
    place = put_changed(
        tmp_path, "resolve.decision.allow", lambda case: case["steps"][0].update(answer=None)
    )
    [case] = run_in(place).results

    assert case.error is not None
    assert case.error.startswith("step 1: events: expected 0 items, found 2")


# Placeholders


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [
        ("<id>", ID, ID.upper()),
        ("<id>", ID, ID.replace("-7", "-4")),
        ("<time>", "2026-11-20T10:15:00.5Z", "2026-11-20T10:15:00+00:00"),
        ("<time>", "2026-11-20T10:15:00Z", "2026-02-30T10:15:00Z"),
        ("<share>", 0.5, 1.5),
        ("<share>", 1, True),
        ("<text>", "x", ""),
        ("<texts>", ["x"], [1]),
        ("<any>", None, None),
        ("<ids>", "<ids>", ID),
        (1, 1.0, True),
        (None, None, False),
        ([], [], {}),
    ],
)
def test_a_placeholder_stands_for_a_value_of_its_kind(expected, good, bad):
    names = Names({})

    assert list(names.differences(expected, good, "it")) == []
    assert bool(list(names.differences(expected, bad, "it"))) is (bad is not good)


def test_a_name_stands_for_one_value_and_two_names_for_two_ids():
    names, other = Names({"main": ID}), ID.replace("1", "2")

    assert list(names.differences(["<id:main>", "<id:call>"], [ID, other], "it")) == []
    assert list(names.differences(["<any:x>", "<any:x>"], [1, 1], "it")) == []
    for expected, found in (("<id:call>", ID), ("<id:new>", ID), ("<any:x>", 2)):
        [difference] = names.differences(expected, found, "it")
        assert difference.found == json.dumps(found)


def test_a_request_is_filled_with_what_names_stand_for():
    filled = Names({"main": ID}).filled(
        {"a": ["<id:main>", "<id:other>", 1], "t": "<now-60>", "u": "<now>"},
        "2026-11-20T10:15:00.000000Z",
    )

    assert filled == {
        "a": [ID, "<id:other>", 1],
        "t": "2026-11-20T10:14:00.000000Z",
        "u": "2026-11-20T10:15:00.000000Z",
    }


# Files of cases

EXCHANGE: dict[str, Any] = {
    "test_id": "policy.x",
    "title": "a claim",
    "section": "12",
    "type": "exchange",
    "given": {},
}
MALFORMED = {
    "an unknown key of a file": ({"level": "core", "cases": [simple()], "about": "x"}, "about"),
    "no level": ({"cases": [simple()]}, "a level"),
    "another level": ({"level": "gold", "cases": [simple()]}, "one of core, policy, full"),
    "no case": ({"level": "core", "cases": []}, "a list of cases"),
    "an unknown key of a case": (simple(sections="11"), "sections: expected a known key"),
    "an unknown kind of case": (simple(type="texts"), "nearest: text"),
    "no title": ({key: value for key, value in simple().items() if key != "title"}, "a title"),
    "an id of another area": (simple("risk.x"), "an id that begins with policy"),
    "an id that only looks like one of the area": (simple("policyx.y"), "an id that begins with"),
    "a text for a truth": (simple(valid="true"), "true or false"),
    "no steps": (EXCHANGE | {"steps": []}, "a list of steps"),
    "an unknown atlas": (
        EXCHANGE | {"given": {"atlases": ["desk"]}, "steps": [{"request": {}, "answer": {}}]},
        "cases[0]: expected an atlas of the file, found desk",
    ),
    "an unknown session": (
        EXCHANGE | {"steps": [{"request": {}, "answer": {}, "session": "other"}]},
        "cases[0]: expected a session of the case, found other",
    ),
    "a step without an answer": (EXCHANGE | {"steps": [{"request": {}}]}, "found none"),
    "an unknown key of a step": (
        EXCHANGE | {"steps": [{"request": {}, "answer": {}, "event": []}]}, "nearest: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_file_that_is_none_of_cases_is_refused_and_says_why(tmp_path, document, message):
    whole = document if "cases" in document else {"level": "core", "cases": [document]}
    with pytest.raises(AtlasError) as caught:
        read_suite(put(tmp_path, whole))

    assert message in f"{caught.value.where}: {caught.value.message}"


def test_an_id_stands_once_in_all_files(tmp_path):
    file = {"level": "core", "cases": [simple("policy.x.y")]}
    put(tmp_path, file)
    put(tmp_path, {"level": "core", "cases": [simple("policy.x.y")] * 2})

    with pytest.raises(AtlasError, match=r"each id once, found policy\.x\.y"):
        read_suite(tmp_path)


def test_a_directory_without_cases_is_none(tmp_path):
    with pytest.raises(NotFound):
        read_suite(tmp_path)


# Levels


@pytest.mark.parametrize(
    ("passing", "level"),
    [
        ({"core": True, "policy": True, "full": True}, "full"),
        ({"core": True, "policy": True, "full": False}, "policy"),
        ({"core": True, "policy": False, "full": True}, "core"),
        ({"core": False, "policy": True, "full": True}, "none"),
        ({"core": True, "full": True}, "core"),
        ({"policy": True, "full": True}, "none"),
    ],
)
def test_a_level_is_reached_with_all_of_its_cases_and_all_below(tmp_path, passing, level):
    for name, passes in passing.items():
        case = simple(f"{name}.x", valid=passes)
        put(tmp_path, {"level": name, "cases": [case]}, f"cases/{name}.json")

    assert run_in(tmp_path).conformance_level == level


# The command


def test_the_command_shows_a_row_per_area_and_what_failed(tmp_path, capsys):
    put_changed(
        tmp_path,
        "policy.rule.named",
        lambda case: case["steps"][1]["answer"].update(policy_id="another"),
    )
    shutil.copy(SUITE / "cases" / "identifier.json", tmp_path / "cases")

    code = run(["conformance", str(tmp_path)])

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[0].split() == ["AREA", "LEVEL", "PASSED", "FAILED"]
    assert [line.split() for line in lines[1:3]] == [
        ["identifier", "core", "22", "0"],
        ["policy", "policy", "0", "1"],
    ]
    assert lines[3:8] == [
        "FAILED  policy.rule.named",
        "  the answer to an allowed call names the rule that allows it (section 12 (1))",
        "  step 2: answer.policy_id",
        '    expected  "another"',
        '    found     "reading"',
    ]
    assert re.fullmatch(r"conformance level core: 22 of 23 cases passed in \d+\.\d s", lines[8])
    assert len(lines) == 9


def test_the_command_says_yes_when_all_pass(tmp_path, capsys):
    put(tmp_path, {"level": "core", "cases": [simple()]})

    assert run(["conformance", str(tmp_path)]) == 0
    assert "conformance level core: 1 of 1 cases passed" in capsys.readouterr().out


def test_a_place_without_cases_is_an_error(tmp_path, capsys):
    assert run(["conformance", str(tmp_path)]) == 2
    assert "expected cases in cases/ and golden/, found none" in capsys.readouterr().err
