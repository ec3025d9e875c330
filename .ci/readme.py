"""Runs every command of README.md as a newcomer would, in their order, and fails if one fails.

A command is a line of an indented code block. One that this file does not know is run as it
stands; KNOWN says of the others how they are run, and why not as they stand.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
API = "http://127.0.0.1:8080"
PATIENCE_S = 900

# How: "skip"; "serve" (runs until Ctrl-C, and later commands talk to it); "type TEXT" (is typed).
KNOWN = {
    "cargo test --workspace": ("skip", "a step of .ci/run of its own"),
    "hexswarm node": ("serve", "runs until Ctrl-C"),
    "hexswarm node --join MULTIADDR": ("serve", "another machine's: own folders, own port"),
    "hexswarm bootstrap": ("serve", "runs until Ctrl-C"),
    "hexswarm chat": ("type Hello\n/quit\n", "interactive"),
}


def commands(text):
    """The lines of indented blocks, without comments. Fenced blocks are pictures."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines = (line for line in text.splitlines() if line.startswith("    "))
    stripped = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def until(what, condition):
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > PATIENCE_S:
            sys.exit(f"never came true: {what}")
        time.sleep(0.2)


def ready():
    try:
        return urllib.request.urlopen(f"{API}/readyz", timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


class Reader:
    """Someone who types what README.md says."""

    def __init__(self, room):
        self.room = room
        self.served = []
        self.address = None
        folders = [str(ROOT / "target/release"), os.environ["PATH"]]
        self.environment = {**os.environ, "PATH": os.pathsep.join(folders)}

    def run(self, command):
        how, why = KNOWN.get(command, ("run", ""))
        print(f"$ {command}" + (f"    # {how.split()[0]}: {why}" if why else ""), flush=True)
        if how == "skip":
            return
        if how == "serve":
            self.serve(command)
            return
        if self.served and not command.startswith("cargo"):
            until("the node is ready", ready)
        typed = how.removeprefix("type ") if how.startswith("type ") else ""
        subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=self.environment, input=typed, text=True,
            check=True, timeout=PATIENCE_S,
        )

    def serve(self, command):
        own = self.room / str(len(self.served))
        own.mkdir()
        environment = {**self.environment, "XDG_DATA_HOME": str(own)}
        if "MULTIADDR" in command:
            command = command.replace("MULTIADDR", self.address) + " --api 127.0.0.1:0"
        said = own / "said"
        with said.open("w") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=ROOT, env=environment, stdout=out
            )
        self.served.append((command, process))

        def listening():
            if process.poll() is not None:
                sys.exit(f"{command}: ended with {process.returncode}")
            found = re.search(r"/ip4/127\.0\.0\.1/tcp/\d+/p2p/\w+", said.read_text())
            self.address = self.address or (found and found.group())
            return found

        until(f"{command} says where it is", listening)
        if command == "hexswarm node":
            until("the node is ready", ready)

    def leave(self):
        """Ctrl-C for all that still runs: each must end well."""
        for command, process in reversed(self.served):
            process.send_signal(signal.SIGINT)
            if process.wait(timeout=90) != 0:
                sys.exit(f"{command}: {process.returncode} after Ctrl-C")


def main():
    found = commands((ROOT / "README.md").read_text())
    unused = set(KNOWN) - set(found)
    if unused:
        sys.exit(f"README.md no longer has {sorted(unused)}: strike them from KNOWN")
    room = pathlib.Path(tempfile.mkdtemp())
    reader = Reader(room)
    try:
        for command in found:
            reader.run(command)
        reader.leave()
    finally:
        for _, process in reader.served:
            process.kill()
        shutil.rmtree(room)
    print(f"{len(found)} commands", flush=True)


main()
