"""The configuration: strict, merged by precedence, and explained down to line and column."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.config import FILE_NAME, VARIABLES, Config, Problem, UserDirs, find_project, load, read
from cra.config.text import Node, parse
from cra.errors import ConfigError

ROOT = Path(__file__).parents[1]
KEY = "cra.local+50b0137e+Af5XZmM0DQB7UDU7hU+iRA9ud9jVguHk9oV78ewwzu0K"
OTHER_KEY = "cra.local+00000000+A" + "A" * 43

FULL: dict[str, Any] = {
    "cra_version": "0.1.0",
    "runtime": {"url": "http://localhost:8080", "timeout_ms": 5000},
    "trace": {
        "directory": "records",
        "retention_days": 90,
        "streaming": False,
        "durability": "always",
        "detail": "full",
    },
    "atlases": ["atlases/support", {"path": "atlases/billing", "auto_load": False}],
    "policies": {
        "default_risk_tier": "high",
        "require_approval_for": ["critical"],
        "request_tolerance_seconds": 60,
        "resolution_ttl_seconds": 0,
        "approval_ttl_seconds": 60,
        "approvers": [KEY],
    },
    "agents": {"reviewer": {"roles": ["reader"], "scopes": ["ticket.*"]}, "cli": {}},
    "keys": [KEY],
    "secrets": ["API_TOKEN"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def configured(project: Path, text: str | dict[str, Any]) -> Path:
    content = text if isinstance(text, str) else json.dumps(text)
    (project / FILE_NAME).write_text(content, encoding="utf-8")
    return project


def config_of(project: Path, text: str | dict[str, Any]) -> Config:
    return load(configured(project, text), {}, None, {})


def problems_of(project: Path, text: str | dict[str, Any], **environ: str) -> list[Problem]:
    return list(read(configured(project, text), environ, None, {})[1])


def cra_says(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cra", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


# What it holds


def test_every_key_is_optional(project):
    config = config_of(project, "{}")

    assert config.trace_directory == project / "cra.trace"
    assert (config.trace.retention_days, config.trace.durability) == (30, "batch")
    assert config.policies.require_approval_for == ("high", "critical")


def test_every_key_is_read(project):
    config = config_of(project, FULL)
    shown = {name: value for name, value, origin in config.settings()}

    assert all(origin.source == "project" for _, _, origin in config.settings())
    assert shown["trace.directory"] == "records"
    assert shown["runtime.timeout_ms"] == 5000
    assert [(atlas.path, atlas.auto_load) for atlas in config.atlases] == [
        ("atlases/support", True),
        ("atlases/billing", False),
    ]
    assert config.agents["reviewer"].scopes == ("ticket.*",)
    assert config.agents["cli"].roles == ()
    assert (config.keys, config.secrets) == ((KEY,), ("API_TOKEN",))
    assert config.policies.resolution_ttl_seconds == 0


def test_a_server_that_nothing_talks_to_is_warned_about(project):
    assert "no server" in config_of(project, FULL).warnings[0]
    assert config_of(project, {"runtime": {"timeout_ms": 1}}).warnings == ()


@pytest.mark.parametrize(
    ("text", "key", "expected", "found", "nearest"),
    [
        ('{"trcae": {}}', "trcae", "a known key", "an unknown one", "trace"),
        ('{"durability": "always"}', "durability", "a known key", None, "trace.durability"),
        ('{"trace": {"retention": 1}}', "trace.retention", None, None, "trace.retention_days"),
        ('{"qqqq": 1}', "qqqq", "a known key", "an unknown one", None),
        ('{"trace": []}', "trace", "an object", "a list", None),
        ('{"trace": {"durability": "alway"}}', None, "one of batch, always", '"alway"', "always"),
        ('{"trace": {"durability": true}}', "trace.durability", None, "true", None),
        ('{"trace": {"streaming": 1}}', "trace.streaming", "true or false", "1", None),
        ('{"trace": {"directory": ""}}', "trace.directory", "a path", '""', None),
        ('{"trace": {"directory": "a\\u0000b"}}', "trace.directory", "a path", None, None),
        ('{"trace": {"directory": "/etc"}}', None, "a path inside the project", '"/etc"', None),
        ('{"trace": {"directory": "a/../../b"}}', None, "a path inside the project", None, None),
        ('{"trace": {"retention_days": 0}}', None, "days from 1 to 36500", "0", None),
        ('{"trace": {"retention_days": 30.0}}', None, "days from 1 to 36500", "30.0", None),
        ('{"trace": {"retention_days": true}}', None, "days from 1 to 36500", "true", None),
        ('{"trace": {"retention_days": null}}', None, "days from 1 to 36500", "null", None),
        ('{"runtime": {"timeout_ms": 86400001}}', None, None, "86400001", None),
        ('{"runtime": {"url": "ftp://x"}}', "runtime.url", "an http or https URL", None, None),
        ('{"policies": {"require_approval_for": "high"}}', None, "a list", '"high"', None),
        (
            '{"policies": {"require_approval_for": ["low", "hihg"]}}',
            "policies.require_approval_for[1]",
            "one of low, medium, high, critical",
            '"hihg"',
            "high",
        ),
        ('{"atlases": [1]}', "atlases[0]", "an object or a path", "1", None),
        ('{"atlases": [{"auto_load": true}]}', "atlases[0]", "a path", "none", None),
        ('{"atlases": [{"path": "a", "autoload": 1}]}', "atlases[0].autoload", None, None, None),
        ('{"agents": []}', "agents", "an object", "a list", None),
        ('{"agents": {"a": {"role": []}}}', "agents.a.role", None, None, "agents.a.roles"),
        ('{"agents": {"a": {"roles": [""]}}}', "agents.a.roles[0]", "a name", '""', None),
        ('{"keys": ["cra.local+1+x"]}', "keys[0]", None, '"cra.local+1+x"', None),
        ('{"secrets": ["a-b"]}', "secrets[0]", None, '"a-b"', None),
        ('{"cra_version": "one"}', "cra_version", "a version like 0.1.0", '"one"', None),
        ('{"trace": {}, "trace": {}}', "trace", "each key once", "it again", None),
        ('{"agents": {"a": {}, "a": {}}}', "agents.a", "each key once", "it again", None),
        ("", "the file", "JSON, here a value", "the end of the file", None),
        ("[]", "the file", "an object", "a list", None),
        ('{"runtime": {"timeout_ms": NaN}}', "the file", None, "NaN, which is no JSON", None),
        ("[" * 100_000, "the file", None, None, None),
        ('{"keys": ["' + "x" * 99 + '"]}', "keys[0]", None, '"' + "x" * 58 + "…", None),
    ],
)
def test_a_mistake_is_named_with_what_was_expected_and_found(
    project, text, key, expected, found, nearest
):
    (problem,) = problems_of(project, text)

    assert key is None or problem.key == key
    assert expected is None or problem.expected == expected
    assert found is None or problem.found == found
    assert nearest is None or problem.nearest == nearest
    with pytest.raises(ConfigError, match="expected "):
        load(project, {}, None, {})


NEAR = "; the mistake may be just before it"


@pytest.mark.parametrize(
    ("text", "place", "expected", "found"),
    [
        ('[\n{"a": {"b": 1}\n]', (3, 1), "a comma or the } of the { at 2:1", "]" + NEAR),
        ('{"a": [1 "s"]}', (1, 10), "a comma or the ] of the [ at 1:7", "a text" + NEAR),
        ('{"a, [": [1', (1, 12), "a comma or the ] of the [ at 1:10", f"the end of the file{NEAR}"),
        ('{"a": 1, {"b": 2}}', (1, 10), "a key in double quotes", "{" + NEAR),
        ("{a: 1}", (1, 2), "a key in double quotes", "a word" + NEAR),
        ('{"a" -1}', (1, 6), "a colon after the key", "a number" + NEAR),
        ('{"a": }', (1, 7), "a value", "}" + NEAR),
        ("{} 2", (1, 4), "the end of the file", "a number" + NEAR),
        ('{"a": "b}', (1, 7), "a text that ends", "no closing quote"),
        ('{"a": "b\n"}', (1, 9), "a text in one line", "a line break or the like"),
        (r'{"a": "\q"}', (1, 8), r"an escape like \n, \\ or \u00e9", "another one"),
    ],
)
def test_broken_json_is_told_in_words_with_the_bracket_that_is_open(
    project, text, place, expected, found
):
    (problem,) = problems_of(project, text)

    assert (problem.line, problem.column) == place
    assert (problem.expected, problem.found) == (f"JSON, here {expected}", found)


@pytest.mark.parametrize("text", ['{"keys": [],}', '{"keys": [1,]}'])
def test_a_comma_too_many_is_told_in_words(project, text):
    """Newer versions of Python notice it at the comma."""
    (problem,) = problems_of(project, text)

    assert problem.expected.startswith("JSON, here ")
    assert "a mistake" not in problem.found


WRONG_FOUR_TIMES = """\
{
  "trace": {
    "durability": "sometimes",
      "retention_dayz": 3
  },
  "cra_version": "0.1.0", "cra_version": "0.2.0",
\t"keys": ["no key"]
}
"""


def test_all_mistakes_are_reported_at_once_with_line_and_column(project):
    problems = problems_of(
        project, WRONG_FOUR_TIMES, CRA_TRACE_DETAIL="all", CRA_TRACE_DIRECTORI="x"
    )

    assert [(problem.key, problem.line, problem.column) for problem in problems] == [
        ("trace.durability", 3, 19),
        ("trace.retention_dayz", 4, 7),
        ("cra_version", 6, 27),
        ("keys[0]", 7, 11),
        ("trace.detail", 0, 0),
        ("CRA_TRACE_DIRECTORI", 0, 0),
    ]
    assert problems[-1].nearest == "CRA_TRACE_DIRECTORY"
    with pytest.raises(ConfigError) as caught:
        load(project, {}, None, {})
    path = project / FILE_NAME
    assert caught.value.message.split("\n") == [
        "expected a configuration without mistakes, found 4",
        f'{path}:3:19: trace.durability: expected one of batch, always, found "sometimes"',
        f"{path}:4:7: trace.retention_dayz: expected a known key, found an unknown one;"
        " nearest: trace.retention_days",
        f"{path}:6:27: cra_version: expected each key once, found it again",
        f"{path}:7:11: keys[0]: expected a verifier key like cra.local+<8 hex>+<base64>,"
        ' found "no key"',
    ]


def test_one_mistake_is_reported_with_its_place(project):
    with pytest.raises(ConfigError) as caught:
        config_of(project, '{\n  "keys": 1}')

    assert caught.value.where == f"{project / FILE_NAME}:2:11"
    assert caught.value.message == "keys: expected a list, found 1"


def test_bytes_that_are_no_utf_8_are_a_mistake(project):
    (project / FILE_NAME).write_bytes(b'{\n"keys": "\xff"}')
    _, (problem,) = read(project, {}, None, {})

    assert (problem.expected, problem.line) == ("UTF-8", 2)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(inner) for key, (_, inner) in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def places(node: Node) -> list[tuple[int, Any]]:
    inner = list(node.value) if isinstance(node.value, list) else []
    if isinstance(node.value, dict):
        inner = [member for _, member in node.value.values()]
    return [(node.offset, plain(node)), *(place for each in inner for place in places(each))]


@given(JSON_VALUES, st.sampled_from([None, 0, 3]), st.booleans())
def test_every_value_of_a_text_is_where_its_node_says(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    node = parse(text, lambda *mistake: pytest.fail(str(mistake)))

    assert node is not None
    for offset, expected in places(node):
        assert json.JSONDecoder().raw_decode(text, offset)[0] == expected


@given(st.text(alphabet='{}[]",:\\ \n10eE.-ntrufalse\u00e9', max_size=40))
def test_a_text_is_read_or_noted_like_the_standard_library_does(text):
    mistakes: list[Any] = []
    node = parse(text, lambda *mistake: mistakes.append(mistake))
    try:
        expected = json.loads(text)
    except ValueError:
        assert node is None
        assert mistakes
    else:
        assert node is not None
        assert plain(node) == expected


# Where a value comes from


def test_a_flag_goes_before_the_environment_that_before_the_project_that_before_the_user(project):
    user = project.parent / "user.json"
    user.write_text('{"trace": {"durability": "always", "detail": "full", "directory": "u"}}')
    configured(project, '{"trace": {\n"detail": "compact", "directory": "p"}}')
    environ = {"CRA_TRACE_DIRECTORY": "e", "CRA_RUNTIME_TIMEOUT_MS": "7"}

    seen = []
    for flags in ({}, {"trace.directory": "f"}):
        config = load(project, environ, user, flags)
        seen.append((config.trace.directory, str(config.origins["trace.directory"])))

    assert seen == [("e", "CRA_TRACE_DIRECTORY"), ("f", "flag")]
    assert load(project, {}, user, {}).trace.directory == "p"
    assert load(None, {}, user, {}).trace.directory == "u"
    assert config.origins["trace.detail"] == ("project", f"{project / FILE_NAME}:2")
    assert config.origins["trace.durability"] == ("user", f"{user}:1")
    assert str(config.origins["trace.streaming"]) == "default"
    assert config.runtime.timeout_ms == 7


def test_a_variable_holds_a_truth_a_number_or_a_list(project):
    environ = {
        "CRA_TRACE_STREAMING": "False",
        "CRA_TRACE_RETENTION_DAYS": "7",
        "CRA_POLICIES_REQUIRE_APPROVAL_FOR": "medium, high",
    }
    config = load(configured(project, "{}"), environ, None, {})

    assert (config.trace.streaming, config.trace.retention_days) == (False, 7)
    assert config.policies.require_approval_for == ("medium", "high")


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("CRA_TRACE_STREAMING", "yes", "true or false"),
        ("CRA_TRACE_RETENTION_DAYS", "1e3", "days from 1 to 36500"),
        ("CRA_TRACE_RETENTION_DAYS", "-1", "days from 1 to 36500"),
        ("CRA_TRACE_DURABILITYY", "always", "a known variable"),
        ("CRA_POLICIES_REQUIRE_APPROVAL_FOR", "high,none", "one of low, medium, high, critical"),
    ],
)
def test_a_wrong_variable_is_a_mistake_named_after_it(project, variable, text, expected):
    (problem,) = problems_of(project, "{}", **{variable: text})

    assert (problem.file, problem.expected) == (variable, expected)


@pytest.mark.parametrize(
    ("policies", "variable", "text"),
    [
        ({}, "CRA_POLICIES_REQUIRE_APPROVAL_FOR", "critical"),
        ({}, "CRA_POLICIES_REQUIRE_APPROVAL_FOR", ""),
        ({}, "CRA_POLICIES_DEFAULT_RISK_TIER", "low"),
        ({"require_approval_for": ["low"]}, "CRA_POLICIES_REQUIRE_APPROVAL_FOR", "medium,high"),
        ({"default_risk_tier": "critical"}, "CRA_POLICIES_DEFAULT_RISK_TIER", "high"),
        ({}, "CRA_POLICIES_APPROVAL_TTL_SECONDS", "3601"),
        ({}, "CRA_POLICIES_RESOLUTION_TTL_SECONDS", "86400"),
        ({}, "CRA_POLICIES_REQUEST_TOLERANCE_SECONDS", "301"),
        ({}, "CRA_POLICIES_APPROVERS", KEY),
        ({"approvers": [KEY]}, "CRA_POLICIES_APPROVERS", OTHER_KEY),
        ({"approvers": [KEY]}, "CRA_POLICIES_APPROVERS", f"{KEY},{OTHER_KEY}"),
        ({"approvers": [KEY]}, "CRA_POLICIES_APPROVERS", ""),
    ],
)
def test_the_environment_loosens_no_approval(project, policies, variable, text):
    (problem,) = problems_of(project, {"policies": policies}, **{variable: text})

    assert problem.file == variable
    assert problem.found == (text.replace(",", ", ") or "none")
    assert "the project's file alone" in problem.expected


@pytest.mark.parametrize(
    ("policies", "variable", "text"),
    [
        ({}, "CRA_POLICIES_REQUIRE_APPROVAL_FOR", "medium"),
        ({}, "CRA_POLICIES_REQUIRE_APPROVAL_FOR", "high"),
        ({}, "CRA_POLICIES_DEFAULT_RISK_TIER", "critical"),
        ({"require_approval_for": []}, "CRA_POLICIES_REQUIRE_APPROVAL_FOR", "critical"),
        ({"default_risk_tier": "low"}, "CRA_POLICIES_DEFAULT_RISK_TIER", "low"),
        ({}, "CRA_POLICIES_APPROVAL_TTL_SECONDS", "60"),
        ({"approvers": [KEY, OTHER_KEY]}, "CRA_POLICIES_APPROVERS", KEY),
    ],
)
def test_the_environment_may_ask_for_more_approvals(project, policies, variable, text):
    config = load(configured(project, {"policies": policies}), {variable: text}, None, {})

    assert config.origins[VARIABLES[variable]].where == variable


def test_a_users_file_loosens_no_approval_and_the_environment_not_what_it_tightens(project):
    user = project.parent / "user.json"
    configured(project, "{}")

    user.write_text('{"policies": {\n "require_approval_for": ["critical"]}}')
    _, (loosened,) = read(project, {}, user, {})
    user.write_text('{"policies": {"require_approval_for": ["low"]}}')
    _, (undone,) = read(project, {"CRA_POLICIES_REQUIRE_APPROVAL_FOR": "medium"}, user, {})
    assert load(project, {}, user, {}).policies.require_approval_for == ("low",)

    assert (loosened.where, loosened.key) == (f"{user}:2:26", "policies.require_approval_for")
    assert (undone.where, undone.found) == ("CRA_POLICIES_REQUIRE_APPROVAL_FOR", "medium")


def test_what_a_project_sets_is_in_force_whatever_a_users_file_says(project):
    user = project.parent / "user.json"
    user.write_text('{"policies": {"require_approval_for": ["critical"]}}')
    configured(project, {"policies": {"require_approval_for": ["low"]}})

    assert load(project, {}, user, {}).policies.require_approval_for == ("low",)


def test_other_variables_are_left_alone(project):
    assert problems_of(project, "{}", CRA_PROJECT="x", CRA_SIGNING_KEY_FILE="x", TRACE="x") == []


def test_every_setting_in_a_section_has_a_variable(project):
    names = {name for name, _, _ in config_of(project, "{}").settings() if "." in name}

    assert set(VARIABLES.values()) == names
    assert VARIABLES["CRA_TRACE_DURABILITY"] == "trace.durability"


def test_a_project_is_the_nearest_directory_upwards_with_a_configuration(project):
    inner = project / "a" / "b"
    inner.mkdir(parents=True)

    assert find_project(inner) is None
    configured(project, "{}")
    assert find_project(inner) == find_project(project) == project


def test_a_users_directories_follow_the_xdg_rules(tmp_path):
    home = tmp_path / "home"
    plain_dirs = UserDirs.of({}, home)
    moved = UserDirs.of({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative"}, home)

    assert plain_dirs.config_file == home / ".config/cra/config.json"
    assert plain_dirs.signing_key == home / ".config/cra/keys/ledger.key"
    assert plain_dirs.state == home / ".local/state/cra"
    assert moved.signing_key == Path("/c/cra/keys/ledger.key")
    assert moved.state == plain_dirs.state


def test_the_environment_can_name_the_signing_key(tmp_path):
    dirs = UserDirs.of({"CRA_SIGNING_KEY_FILE": "/k"}, tmp_path)

    assert (dirs.signing_key, dirs.has_key()) == (Path("/k"), True)
    assert not UserDirs.of({}, tmp_path).has_key()


# The commands


def test_show_prints_each_value_with_its_origin(project):
    configured(project, '{"trace": {"detail": "full"}}')
    answer = cra_says("config", "show", "--trace-dir", "t", cwd=project, CRA_RUNTIME_TIMEOUT_MS="9")

    assert (answer.returncode, answer.stderr) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines()}
    assert rows["trace.detail"] == ["full", f"{FILE_NAME}:1"]
    assert rows["runtime.timeout_ms"] == ["9", "CRA_RUNTIME_TIMEOUT_MS"]
    assert rows["trace.directory"] == [str(project / "t"), "flag"]
    assert rows["policies.require_approval_for"] == ["high,", "critical", "default"]


def test_show_prints_atlases_by_their_paths(project):
    sources = ["atlases/desk", {"path": "atlases/spare", "auto_load": False}]
    configured(project, json.dumps({"atlases": sources}))
    answer = cra_says("config", "show", cwd=project)

    [row] = [line for line in answer.stdout.splitlines() if line.startswith("atlases ")]
    assert "  atlases/desk, atlases/spare (not loaded)  " in row


def test_show_prints_the_same_facts_as_json(project):
    configured(project, FULL)
    answer = json.loads(cra_says("config", "show", "--json", cwd=project).stdout)

    assert answer["project"] == str(project)
    assert answer["settings"]["trace.durability"] == {
        "value": "always",
        "source": "project",
        "where": f"{project / FILE_NAME}:1",
    }
    assert answer["settings"]["atlases"]["value"][0] == {
        "path": "atlases/support",
        "auto_load": True,
    }


def test_show_reads_the_users_file_outside_of_a_project(tmp_path):
    (tmp_path / "cra").mkdir()
    (tmp_path / "cra" / "config.json").write_text('{"trace": {"detail": "full"}}')
    answer = cra_says("config", "show", "--json", cwd=tmp_path, XDG_CONFIG_HOME=str(tmp_path))

    shown = json.loads(answer.stdout)
    assert (shown["project"], shown["settings"]["trace.detail"]["source"]) == (None, "user")


@pytest.mark.parametrize(("text", "code", "verdict"), [("{}", 0, "valid"), ("[]", 2, "invalid")])
def test_validate_answers_with_its_verdict_and_exit_code(project, text, code, verdict):
    configured(project, text)
    answer = cra_says("config", "validate", cwd=project)
    facts = cra_says("config", "validate", "--json", cwd=project)

    assert (answer.returncode, facts.returncode) == (code, code)
    assert answer.stdout.splitlines()[-1] == f"{verdict}: {project / FILE_NAME}"
    assert json.loads(facts.stdout)["valid"] is (code == 0)


def test_validate_lists_mistakes_with_their_places(project):
    configured(project, WRONG_FOUR_TIMES)
    answer = cra_says("config", "validate", cwd=project)
    facts = json.loads(cra_says("config", "validate", "--json", cwd=project).stdout)

    assert len(answer.stdout.splitlines()) == 5
    assert answer.stdout.startswith(f"{project / FILE_NAME}:3:19: trace.durability: expected")
    assert facts["problems"][1] == {
        "file": str(project / FILE_NAME),
        "line": 4,
        "column": 7,
        "key": "trace.retention_dayz",
        "expected": "a known key",
        "found": "an unknown one",
        "nearest": "trace.retention_days",
    }


def test_a_command_in_a_project_with_mistakes_refuses_to_run(project):
    configured(project, '{"trace": {"durability": "x"}}')
    answer = cra_says("config", "show", cwd=project)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error[CRA-2001]: trace.durability: expected one of")
    assert f"  where: {project / FILE_NAME}:1:26\n" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "fix"), [((), "cra init"), (("-C", "elsewhere"), "cra init elsewhere")]
)
def test_without_a_project_the_error_tells_how_to_make_one(tmp_path, arguments, fix):
    (tmp_path / "elsewhere").mkdir()
    answer = cra_says("config", "validate", *arguments, cwd=tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.startswith("error[CRA-2001]: expected a cra project, found no ")
    assert answer.stderr.endswith(f"  fix: {fix}\n")


def test_a_project_can_be_named_by_flag_or_variable(project):
    configured(project, "{}")
    flag = cra_says("config", "validate", "-C", str(project), cwd=project.parent)
    variable = cra_says("config", "validate", cwd=project.parent, CRA_PROJECT=str(project))

    assert (flag.returncode, variable.returncode) == (0, 0)
    assert flag.stdout == variable.stdout
