"""The frame that all pages have: style, title and head about a page's own sections."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from chatreport.wording import printable


def framed(page: str, *, word: str, look: str, title: str, **shown: Any) -> str:
    """The page of that template as one HTML document; everything but our own pictures and style is escaped.

    `word` begins the title of the browser's tab, `look` is a verdict's colour in the style sheet.
    """
    style = (files(__package__) / "style.css").read_text(encoding="utf-8")
    template = _templates().get_template(f"{page}.html.j2")
    return printable(template.render(word=word, look=look, title=title, style=style, **shown))


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
