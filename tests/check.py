"""Everything that must hold before a change lands: ``python -m tests.check``.

Runs the linters, the type checker, the import rules and the tests, in this order, and stops at the
first that fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

CHECKS = {
    "lint": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
    "types": ["-m", "mypy"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command as c; c()"],
    "weights of the test model": ["-m", "tests.llm_server", "fetch"],
    "tests": ["-m", "pytest"],
}
"""What the Python interpreter is run with, by what it checks."""


def main() -> int:
    """Run the checks; return the exit code of the first that fails, or 0."""
    for name, command in CHECKS.items():
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, *command], cwd=ROOT, check=False)
        if done.returncode:
            print(f"== {name} failed", flush=True)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
