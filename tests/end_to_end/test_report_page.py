"""The report as a reader sees it: in a browser, at a desk and on a phone, without a network."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.end_to_end.conftest import Played

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SCREENS = {"desk": (1280, 800), "phone": (390, 844)}

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all of them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=SCREENS)
def page(request: pytest.FixtureRequest, browser: Browser, first_run: Played) -> Iterator[Page]:
    """The report of the first run, open on a screen of this size; every request it makes is noted."""
    width, height = SCREENS[request.param]
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        opened = context.new_page()
        opened.goto((first_run.rundir / "report.html").as_uri())
        yield opened


def test_the_first_screen_says_whether_it_held_and_how_we_know(page: Page) -> None:
    """Verdict, the four counts and the guarantees' evidence stand above the fold."""
    height = page.viewport_size["height"] if page.viewport_size else 0
    first = page.evaluate(
        """height => [...document.querySelectorAll('body *')]
            .filter(e => !e.children.length && e.getBoundingClientRect().bottom <= height
                         && e.getBoundingClientRect().height > 0)
            .map(e => e.textContent).join(' ')""",
        height,
    )
    assert re.search(r"pass|fail|inconclusive|invalid", first, re.IGNORECASE)
    for word in ("lost", "duplicated", "reordered", "phantom", "G1", "G11", "durable"):
        assert word in first, word


def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    """No sideways scrolling, also on a phone, with everything unfolded; wide tables scroll in themselves."""
    folded = page.evaluate("[...document.querySelectorAll('details')].map(each => (each.open = true)).length")
    assert folded
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.reload()  # folded, for who looks next


def test_the_page_asks_nobody_for_anything(page: Page) -> None:
    """One file: no request leaves it, and nothing in it names another host."""
    names = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in names if not name.startswith("data:")] == []
    assert page.evaluate("document.querySelectorAll('script, link[rel=stylesheet], iframe').length") == 0


def test_pictures_are_there(page: Page) -> None:
    """The run over time and the percentile curve are drawn for this screen, each with words beside it."""
    figures = page.evaluate(
        """[...document.querySelectorAll('figure')].map(figure => [
            [...figure.querySelectorAll('img, svg')].filter(e => e.getBoundingClientRect().width > 0).length,
            Boolean(figure.querySelector('figcaption')?.textContent.trim())])"""
    )
    assert len(figures) >= 2
    assert all(pictures and told for pictures, told in figures)
