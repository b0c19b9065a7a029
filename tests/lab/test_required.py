"""Is a test that did not run noticed where everything must run?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = """
import pytest

def test_runs():
    pass

@pytest.mark.skip(reason="no such server here")
def test_is_skipped():
    pass

@pytest.mark.xfail(strict=True)
def test_fails_as_expected():
    assert False
"""
SKIPPED_MODULE = """
import pytest

pytest.skip("no such library here", allow_module_level=True)
"""


GROUPED = """
import os
import pytest

@pytest.mark.parametrize("number", range(20))
def test_asks_for_a_server(number, request):
    with open("workers", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")

@pytest.fixture
def tryton():
    pass

test_asks_for_a_server = pytest.mark.usefixtures("tryton")(test_asks_for_a_server)
"""


def _pytest(folder: Path, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    options = [*more, "-rs", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    kept = {
        name: value for name, value in os.environ.items() if name not in {"CI", "TIEOUT_REQUIRE_LAB", "PYTEST_ADDOPTS"}
    }
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**kept, **env})


@pytest.mark.parametrize("name", ["CI", "TIEOUT_REQUIRE_LAB"])
def test_a_skip_is_a_failure_where_the_lab_is_required(tmp_path: Path, name: str) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    done = _pytest(tmp_path, **{name: "1"})
    assert done.returncode == 1
    assert "1 passed, 1 xfailed, 1 error" in done.stdout
    assert "no such server here" in done.stdout


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    done = _pytest(tmp_path)
    assert done.returncode == 0
    assert "1 passed, 1 skipped, 1 xfailed" in done.stdout


def test_a_module_skipped_as_a_whole_is_an_error_where_the_lab_is_required(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SKIPPED_MODULE)
    done = _pytest(tmp_path, CI="true")
    assert done.returncode != 0
    assert "no such library here" in done.stdout


def test_a_missing_server_skips_with_the_way_to_get_it_and_fails_where_it_is_required(tmp_path: Path) -> None:
    sample = "from tests.servers import lab\n\ndef test_asks():\n    lab.command('no-such-program', 'its-package')\n"
    (tmp_path / "test_sample.py").write_text(sample)
    elsewhere, required = _pytest(tmp_path), _pytest(tmp_path, CI="true")
    assert (elsewhere.returncode, required.returncode) == (0, 1)
    for done in (elsewhere, required):
        assert "no-such-program is missing: apt-get install its-package" in done.stdout


def test_tests_of_one_server_share_a_worker(tmp_path: Path) -> None:
    workers = tmp_path / "workers"
    (tmp_path / "test_sample.py").write_text(GROUPED.replace('"workers"', repr(str(workers))))
    done = _pytest(tmp_path, "-n", "2", "--dist", "loadgroup")
    assert "20 passed" in done.stdout, done.stdout
    assert len(set(workers.read_text().split())) == 1
