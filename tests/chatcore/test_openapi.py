"""The published description of the REST API: of every route, and true."""

import asyncio
import os
import sys
from pathlib import Path

from chatcore.edges.routes import ROUTES
from tests.chatcore.client import token
from tests.chatcore.cores import inside, play

ROOT = Path(__file__).parents[2]
EXAMPLES = 5


def test_the_description_is_of_every_route() -> None:
    """It is served to anybody, names each row of the table with its roles, and refers to nothing it does not hold."""

    async def acts() -> None:
        async with inside() as core:
            status, found = await core.client.rest("GET", "/v1/openapi.json", bearer="")
            assert (status, found["openapi"]) == (200, "3.1.0")
            described = {
                (method.upper(), path): operation["x-roles"]
                for path, operations in found["paths"].items()
                for method, operation in operations.items()
            }
            assert described == {(row.method, row.path): list(row.roles or ["anybody"]) for row in ROUTES}
            held = {f"#/components/{kind}/{name}" for kind, of in found["components"].items() for name in of}
            assert references(found) - held == set()
            assert "#/components/schemas/OperatorSeed" in references(found)

    play(acts)


def references(of: object) -> set[str]:
    """Every `$ref` in a document."""
    if isinstance(of, dict):
        return {str(of["$ref"])} if "$ref" in of else set().union(*map(references, of.values()))
    return set().union(*map(references, of)) if isinstance(of, list) else set()


def test_the_core_answers_as_described(tmp_path: Path) -> None:
    """Schemathesis finds no 5xx, no answer that is not described, nothing wrong taken and nothing right refused."""

    async def acts() -> None:
        async with inside() as core:
            await (await core.client.customer("web/u1")).say("c1", "balance")
            command = [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{core.client.url}/v1/openapi.json"),
                *("--header", f"Authorization: Bearer {token('admin', 'tests')}", "--seed", "1", "--no-color"),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--max-failures", "5"),
                *("--generation-database", "none", "--request-timeout", "15"),
            ]
            environment = os.environ | {
                "SCHEMATHESIS_HOOKS": "tests.chatcore.schemathesis_hooks", "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told, _ = await process.communicate()
            lines = [line[:300] for line in told.decode().splitlines()]
            assert process.returncode == 0, "\n".join(lines)
            tested = [line for line in lines if "Tested:" in line]
            but_the_description = len(ROUTES) - 1  # schemathesis leaves that out by itself
            assert [int(line.split()[-1]) for line in tested] == [but_the_description]
            assert core.fatal == []

    play(acts)
