"""Holds the server to its OpenAPI document, and the document to the server, with requests that Schemathesis makes up.

Starts the binary on a free port and a throw-away directory, runs the phases one by one, and ends with
`N passed, N failed`: operations per phase. The choices and the number of examples are fixed, so that two
runs ask much the same; OPENAPI_SEED makes other choices.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = os.environ.get("HEADWATER_BIN", str(HERE / "../../target/release/headwater"))
SEED = os.environ.get("OPENAPI_SEED")
START_TIMEOUT_SECONDS = 15
# A run that takes longer hangs: all answers are bounded, live ones by --sse-lifetime.
RUN_TIMEOUT_SECONDS = 300
REQUEST_TIMEOUT_SECONDS = 10
# Live answers never end by themselves. They do after so long, so that whole answers can be checked.
SSE_LIFETIME = "50ms"
PHASES = ["coverage", "fuzzing", "stateful"]
EXAMPLES = {"coverage": 1, "fuzzing": 60, "stateful": 150}
# All checks but one: what the document allows may still be refused for reasons that no schema can say. hooks.py knows
# them and has a check of its own in its place.
CHECKS = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]


def main():
    with tempfile.TemporaryDirectory(prefix="headwater-openapi-") as directory:
        server, url = start(Path(directory) / "data")
        try:
            passed, failed = 0, 0
            for phase in PHASES:
                good, bad = run(phase, url, Path(directory))
                print(f"openapi, {phase}: {good} passed, {bad} failed", flush=True)
                passed, failed = passed + good, failed + bad
            if server.poll() is not None:
                print(f"the server ended with {server.returncode}")
                failed += 1
        finally:
            stop(server)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def start(data):
    port = free_port()
    arguments = ["serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(data), "--sse-lifetime", SSE_LIFETIME]
    # Search answers only where there is an index.
    arguments += ["--sessions-sql", str(data.with_suffix(".sqlite"))]
    server = subprocess.Popen([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not is_ready(url):
        if server.poll() is not None:
            sys.exit(f"the server ended with {server.returncode}")
        if time.monotonic() > deadline:
            stop(server)
            sys.exit(f"the server was not ready within {START_TIMEOUT_SECONDS} s")
        time.sleep(0.025)
    return server, url


def run(phase, url, directory):
    """Runs one phase over all operations, and counts those that passed and failed."""
    report = directory / f"{phase}.xml"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", f"{url}/api/openapi.json", *CHECKS]
    command += ["--phases", phase, "--max-examples", str(EXAMPLES[phase]), "--continue-on-failure", "--no-color"]
    command += ["--seed", SEED, "--generation-database", "none"] if SEED else ["--generation-deterministic"]
    command += ["--request-timeout", str(REQUEST_TIMEOUT_SECONDS), "--report", "junit", "--report-junit-path", str(report)]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "HEADWATER_API": f"{url}/api"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    ended = subprocess.run(command, env=environment, cwd=directory, timeout=RUN_TIMEOUT_SECONDS, check=False)
    if not report.exists():
        return 0, 1
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    passed = sum(1 for case in cases if len(case) == 0)
    # It can fail in other ways than a check: then that counts.
    return passed, failed if failed or ended.returncode == 0 else 1


def stop(server):
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def is_ready(url):
    try:
        return urllib.request.urlopen(f"{url}/readyz", timeout=1).status == 200
    except OSError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
