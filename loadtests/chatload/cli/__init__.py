"""The command line: `chatload`."""

import sys


def main() -> None:
    """Run a command. A mistake of the user's is one line and exit code 2, never a traceback."""
    import typer

    from chatload.cli.app import app
    from chatload.errors import ChatloadError
    from chatreport.errors import ReportError

    usage_error = typer.BadParameter.__mro__[2]  # click's base class, wherever this typer keeps its click
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        code = _complain("interrupted", 130)
    except (ChatloadError, ReportError) as error:
        code = _complain(str(error), getattr(error, "exit_code", 2))
    except Exception as error:
        if not isinstance(error, usage_error):
            raise
        code = _complain(getattr(error, "format_message", error.__str__)(), 2)
    except KeyboardInterrupt:
        code = _complain("interrupted", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str, code: int) -> int:
    from chatload.console import complain

    complain(text)
    return code
