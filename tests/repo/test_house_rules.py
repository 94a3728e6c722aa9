"""The rules of the house that no linter knows."""

import ast
import os
import re
from pathlib import Path

import pytest

from tests.repo.sources import ROOT, code_lines, comments, files, python_files, tree

LONGEST_MODULE = 300
LONG_ON_PURPOSE: dict[str, str] = {}  # path: why it stays in one piece

EXEMPTION = re.compile(r"#\s*(noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[^]]*\])?|pragma: no cover)")
WORD = re.compile(r"[^\W\d_]{2,}")
MARKS = {"skip", "skipif", "xfail", "importorskip"}


def unexplained_comments(path: Path) -> list[str]:
    """Comments that switch a check off and say nothing more."""
    return [
        f"{path}:{line} {text}"
        for line, text in comments(path)
        if (exemption := EXEMPTION.search(text)) and len(WORD.findall(text[exemption.end() :])) < 2
    ]


def unexplained_marks(path: Path) -> list[str]:
    """Skips and expected failures without a reason."""
    called = {id(node.func): node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in MARKS and ast.unparse(node).startswith("pytest."):
            call = called.get(id(node))
            if call is None or not gives_reason(call, node.attr):
                found.append(f"{path}:{node.lineno} {ast.unparse(call or node)}")
    return found


def gives_reason(call: ast.Call, mark: str) -> bool:
    """Whether a reason is given: by name, or as the text that pytest.skip and pytest.xfail take first."""
    named = any(keyword.arg == "reason" for keyword in call.keywords)
    return named or (mark in {"skip", "xfail"} and bool(call.args))


def test_every_exemption_says_why() -> None:
    """A noqa, a type: ignore, a skip or an expected failure carries its reason on the line."""
    assert [found for path in python_files() for found in unexplained_comments(path) + unexplained_marks(path)] == []


@pytest.mark.parametrize(
    "source, unexplained",
    [
        ("x = 1  # noqa: E501", 1),
        ("x = 1  # noqa: E501  # the provider's own example, kept on one line", 0),
        ("x = 1  # noqa: E501, F401 - the provider's own example", 0),
        ("x = f()  # type: ignore[no-any-return]", 1),
        ("x = f()  # type: ignore[no-any-return]  # orjson returns Any", 0),
        ("x = '# noqa'", 0),
        ("import pytest\npytest.skip('no Chromium here')", 0),
        ("import pytest\n@pytest.mark.skip\ndef test_x(): ...", 1),
        ("import pytest\n@pytest.mark.skipif(True)\ndef test_x(): ...", 1),
        ("import pytest\n@pytest.mark.xfail(reason='issue 7')\ndef test_x(): ...", 0),
    ],
)
def test_exemptions_are_told_from_explained_ones(source: str, unexplained: int, tmp_path: Path) -> None:
    """Exactly the exemptions without a reason are found."""
    path = tmp_path / "example.py"
    path.write_text(source)
    assert len(unexplained_comments(path)) + len(unexplained_marks(path)) == unexplained


def test_no_module_is_long() -> None:
    """A module stays within 300 lines of code, unless it is listed with the reason."""
    sizes = {str(path.relative_to(ROOT)): code_lines(path) for path in python_files()}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {
        name: sizes[name] for name in LONG_ON_PURPOSE
    }


def test_every_test_says_what_must_hold() -> None:
    """Every test has a docstring: the sentence that must hold."""
    tests = [path for path in python_files() if ROOT / "tests" in path.parents]
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path in tests
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_scripts_are_executable() -> None:
    """What starts with an interpreter line can be started, and only that."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.read_bytes().startswith(b"#!") != os.access(path, os.X_OK) and not path.is_symlink()
    ]
    assert wrong == []
