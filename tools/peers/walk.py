"""A walk over LUO's lists with drgn, as far as it gets: `walk.py <core> [<plan>]`, with the system's python3 (Debian's python3-drgn).

Without a plan: what drgn finds by itself. With one (JSON: the address of luo_session_global, members' offsets) the same lists by plain reads:
drgn then knows no type and no symbol, and has to be told where the kernel image is mapped, as an ELF core of QEMU does not say.
Prints JSON.
"""
import json
import re
import sys
import time

import drgn

START_KERNEL_MAP = 0xFFFFFFFF80000000


def attempt(do):
    try:
        return {"ok": True, "said": str(do())}
    except Exception as error:  # what it says is the result
        return {"ok": False, "said": f"{type(error).__name__}: {error}".split("\n")[0]}


start = time.monotonic()
program = drgn.Program()
result = {"version": drgn.__version__, "opens": attempt(lambda: program.set_core_dump(sys.argv[1]))}
if len(sys.argv) < 3:
    result["debugInfo"] = attempt(lambda: program.load_default_debug_info())
    result["symbol"] = attempt(lambda: program.symbol("luo_session_global"))
    result["type"] = attempt(lambda: program.type("struct luo_session"))
else:
    with open(sys.argv[2], encoding="utf-8") as file:
        plan = json.load(file)
    here = int(plan["global"])
    result["unaided"] = attempt(lambda: program.read_u64(here))
    with open(sys.argv[1], "rb") as file:
        base = int(re.search(rb"NUMBER\(phys_base\)=(-?\d+)", file.read(1 << 20)).group(1))
    program.add_memory_segment(
        START_KERNEL_MAP, 1 << 30, lambda address, count, offset, physical: program.read(address - START_KERNEL_MAP + base, count, True), False
    )

    def entries(head):
        at = program.read_u64(head)
        while at != head:
            yield at
            at = program.read_u64(at)

    sessions = files = 0

    def walk():
        global sessions, files
        for side in ("incoming", "outgoing"):
            for link in entries(here + plan[side] + plan["list"]):
                sessions += 1
                for _ in entries(link - plan["sessionLink"] + plan["files"]):
                    files += 1

    result["walk"] = attempt(walk)
    result["sessions"], result["files"] = sessions, files
result["seconds"] = time.monotonic() - start
json.dump(result, sys.stdout)
