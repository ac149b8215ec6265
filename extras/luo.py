#!/usr/bin/env python3
"""drgn: the sessions and files that a dump's kernel hands over or was handed, as luo-inspect decodes them.

    drgn -c vmcore extras/luo.py            # the dump that drgn has open
    drgn -c vmcore -q -e 'import luo; luo.sessions("vmcore")'

luo-inspect reads the dump by itself (no debug information is needed); this prints its JSON where drgn's prompt is.
"""

import json
import os
import subprocess
import sys


def report(path, *options):
    """The report of a dump, schema luo-inspect.report/1."""
    tool = os.environ.get("LUO_INSPECT", "luo-inspect")
    run = subprocess.run([*tool.split(), "report", path, "--json", *options], capture_output=True, text=True)
    if run.returncode == 2:
        raise ValueError(run.stderr.strip())
    return json.loads(run.stdout)


def shown(text):
    """Text from a dump, with what could steer a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def sessions(path):
    """Prints role, session, token, handler and size of every file."""
    for handover in report(path)["handovers"]:
        for session in (handover["luo"] or {}).get("sessions") or []:
            for file in session["files"] or []:
                size = (file["decoded"] or {}).get("size", "-")
                print(handover["role"], shown(session["name"]), file["token"], shown(file["compatible"]), file["data"], size)


def path_of_dump():
    """The core that drgn was started with (-c), else the first argument."""
    for index, word in enumerate(open("/proc/self/cmdline").read().split("\0")):
        if word in ("-c", "--core"):
            return open("/proc/self/cmdline").read().split("\0")[index + 1]
    return sys.argv[1] if len(sys.argv) > 1 else None


if __name__ == "__main__":
    PATH = path_of_dump()
    if PATH is None:
        sys.exit("luo.py: give a dump, or start drgn with -c <dump>")
    sessions(PATH)
