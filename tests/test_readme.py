"""What the README shows is what happens: its set-up commands and its examples."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bot import Bot

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_two_set_up_commands_of_one_line_each() -> None:
    set_up = README.split("## Set up")[1].split("\n## ")[0]
    commands = [c.strip() for c in re.findall(r"^```sh\n(.*?)^```", set_up, re.M | re.S)]
    assert len(commands) == 2
    assert all("\n" not in c and c.startswith("python3 -m venv .venv && ") for c in commands)
    assert commands[0].endswith("askarticle chat")


def test_ci_runs_the_test_command_as_it_stands_in_the_readme(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text((ROOT / ".ci" / "run").read_text("utf-8"), "utf-8")
    fake = README.replace("python3 -m venv .venv && ", "echo would run: ")
    (tmp_path / "README.md").write_text(fake, "utf-8")
    (tmp_path / "bin").mkdir()
    chromium = tmp_path / "bin" / "chromium"
    chromium.write_text("#!/bin/sh\n", "utf-8")
    chromium.chmod(0o755)
    done = subprocess.run(
        ["bash", tmp_path / ".ci" / "run"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
        check=False,
    )
    # The part after the first "&&" still runs, and fails here: nothing is installed.
    assert done.returncode != 0
    assert "would run: .venv/bin/pip install" in done.stdout


def test_the_python_examples_run_and_print_what_they_say(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Bot, "open", staticmethod(lambda *_, **__: bot))
    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), {})
        printed = " ".join(capsys.readouterr().out.split())
        promised = re.findall(r"(?:^# (?!what|every).*\n)+", example, re.MULTILINE)
        assert promised
        for comment in promised:
            text = " ".join(re.sub(r"^# ", "", comment, flags=re.MULTILINE).split())
            assert text in printed


def test_the_files_that_the_table_names_exist() -> None:
    table = README.split("| to change | open |")[1].split("\n\n")[0]
    files = re.findall(r"`([\w./*]+)`", table)
    assert len(files) > 15
    assert all(list(ROOT.glob(f)) for f in files)


def test_no_path_of_one_machine_in_the_projects_text() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split():
        file = ROOT / name
        if file.suffix in {".md", ".toml", ".txt"} and file.exists():
            assert not re.search(r"/(?:home|root|work)/", file.read_text("utf-8")), name
