"""What the tests of the dashboard share: the built gateway and a real Triton, from the tests of the page, and the dashboard itself."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT / "e2e" / "ui")]

from missing import real  # noqa: E402
from programs import REPOSITORY, Gateway, Triton  # noqa: E402


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    g = real(Gateway)
    yield g
    g.close()


@pytest.fixture(scope="session")
def triton(tmp_path_factory) -> Iterator[Triton]:
    """A real Triton with one model, and a gateway before it."""
    repository = tmp_path_factory.mktemp("repository")
    shutil.copytree(REPOSITORY / "shapes", repository / "shapes")
    t = real(lambda: Triton(repository))
    yield t
    t.close()


@pytest.fixture
def at(monkeypatch) -> Callable[[str], None]:
    """at(url) lets the dashboard ask this gateway."""

    def choose(url: str) -> None:
        monkeypatch.setenv("GATEWAY_URL", url)
        monkeypatch.delenv("GATEWAY_TOKEN", raising=False)

    return choose


def samples(model: str) -> Path:
    return REPOSITORY / model / "golden"


os.environ.setdefault("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false")
