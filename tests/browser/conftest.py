"""Fixtures of the studio page's tests. What they need is imported when one of them is used."""

import pytest


@pytest.fixture(scope="module")
def browser():
    """A Chromium."""
    from studio_browser import chromium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """`nssbg studio` as a process."""
    from studio_browser import Studio

    running = Studio(tmp_path_factory.mktemp("studio") / "session")
    yield running
    running.stop()


@pytest.fixture
def page(browser, studio):
    """The page, of an empty session."""
    from studio_browser import empty_page

    with empty_page(browser, studio) as opened:
        yield opened
