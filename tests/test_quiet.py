"""What is installed stays quiet: nothing is reported, nothing is written outside its folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_fresh_home_holds_the_store_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "ORT_", "HF_"))}
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "ask", "When is the summit?"],
        cwd=ROOT,
        env=kept | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Friday" in done.stdout
    assert done.stderr == ""
    written = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()}
    assert written
    assert all(name.startswith(".local/share/askarticle/store/") for name in written), written


def test_every_command_says_what_it_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=True,
    )
    for command in ("chat", "ask", "add", "list", "remove", "rebuild", "eval", "settings"):
        line = next(x for x in done.stdout.splitlines() if f" {command} " in x)
        assert len(line.split(command, 1)[1].strip(" │|")) > 10, command
