"""Goes through docs/simulation.md as a reader would, and fails if a command prints something else.

Fenced blocks, in their order: one whose first line names a file (```toml FILE) is written to it; each
line of ```sh is run at the top of the tree (```sh exit 2: and must end so); ```text right after it is
what they print. `--write` puts what they print now into the page. Of a command that builds, and of
progress on stderr, nothing is shown. Words are compared exactly, figures within a tenth: processors
round in ways of their own, and tables are spaced by what stands in them.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/simulation.md"
PATIENCE_S = 900
BLOCK = re.compile(
    r"^```(?P<kind>\w+) ?(?P<rest>[^\n]*)\n(?P<body>.*?)^```\n(?:\n```text\n(?P<said>.*?)^```\n)?",
    re.M | re.S,
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
ROUNDING = 0.1


def is_like(said, shown):
    """Whether the words are the same and the figures nearly."""
    words = [" ".join(re.sub("-+", "-", NUMBER.sub("0", text)).split()) for text in (said, shown)]
    figures = zip(NUMBER.findall(said), NUMBER.findall(shown))
    return words[0] == words[1] and all(
        abs(float(one) - float(other)) <= ROUNDING * (float(other) + ("." in other))
        for one, other in figures
    )


def run(command, wanted):
    print(f"$ {command}", flush=True)
    path = os.pathsep.join([str(ROOT / "target/release"), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env={**os.environ, "PATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT if wanted else None, timeout=PATIENCE_S,
    )
    if done.returncode != wanted:
        sys.exit(f"{command}: ended with {done.returncode}, not {wanted}\n{done.stdout}")
    return done.stdout


def followed(block):
    """The block as the page should have it."""
    kind, rest, body = block["kind"], block["rest"], block["body"]
    whole = f"```{kind} {rest}".rstrip() + f"\n{body}```\n"
    if kind != "sh":
        if rest:
            (ROOT / rest).write_text(body)
        return whole
    wanted = int(rest.removeprefix("exit ") or 0)
    said = "".join(run(command, wanted) for command in body.splitlines())
    if not is_like(said, block["said"] or "") and "--write" not in sys.argv:
        sys.exit(f"{PAGE}: this is what is printed now (--write puts it there)\n{said}")
    return whole + (f"\n```text\n{said}```\n" if said else "")


began = time.monotonic()
(ROOT / "target/tour").mkdir(parents=True, exist_ok=True)
page = BLOCK.sub(followed, PAGE.read_text())
if "--write" in sys.argv:
    PAGE.write_text(page)
print(f"the tutorial took {time.monotonic() - began:.0f} s", flush=True)
