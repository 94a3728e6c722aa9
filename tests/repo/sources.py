"""The repository's own files, as its rules see them."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"chatcore": ROOT / "platform", "chatload": ROOT / "loadtests", "chatreport": ROOT / "reports"}


class Import(NamedTuple):
    """One imported module, where it is imported."""

    module: str
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def files() -> tuple[Path, ...]:
    """Every file of the checkout that is not ignored, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(path for name in sorted(listed.split("\0")) if name and (path := ROOT / name).is_file())


def python_files() -> list[Path]:
    """Every Python file of the checkout."""
    return [path for path in files() if path.suffix == ".py"]


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(), path)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """The file's comments with their line numbers; text inside strings is none."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def code_lines(path: Path) -> int:
    """How many lines carry code: neither blank, nor comment, nor docstring."""
    lines: set[int] = set()
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def imports(path: Path) -> list[Import]:
    """What the file imports anywhere in it; `from a import b` counts as `a.b`, which may be a module."""
    found: list[Import] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, path, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [Import(f"{node.module}.{alias.name}", path, node.lineno) for alias in node.names]
    return found


def modules(package: str) -> list[Path]:
    """The files of `package`, a dotted name such as `chatload.fleet`: a package or a module."""
    top = PACKAGES[package.partition(".")[0]].joinpath(*package.split("."))
    return [path for path in python_files() if top in path.parents or path == top.with_suffix(".py")]


def needed(package: str) -> list[Path]:
    """The files of `package` and every file of the checkout that importing them imports, at whatever remove."""
    seen: dict[Path, None] = {}
    waiting = modules(package)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path] = None
            waiting += [own for found in imports(path) for own in _files_of(found.module)]
    return list(seen)


def within(module: str, names: frozenset[str]) -> bool:
    """Whether the module is one of the names or lies within one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def _files_of(module: str) -> list[Path]:
    """The files of the checkout that `import module` runs: the packages on its way, and itself."""
    parts = module.split(".")
    if parts[0] not in PACKAGES:
        return []
    found = []
    for end in range(1, len(parts) + 1):
        base = PACKAGES[parts[0]].joinpath(*parts[:end])
        found += [path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()]
    return found
