"""What measurements are to be labelled with: the machine and the commit."""
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SIMD = {"avx512_vnni": "avx512-vnni", "avx512f": "avx512", "avx2": "avx2", "sse2": "sse2"}  # the first found
INTERESTING = ("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_tile")


def cpuinfo(field):
    found = re.search(rf"^{field}\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def cores():
    """Physical cores this process may use: hyper-threads share one's multipliers."""
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        path = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(path.read_text() if path.exists() else cpu)
    return len(siblings)


def machine_class(compiler, model):
    """As `znver3-avx2`: LLVM's name for the CPU, which resnetcc -v tells, and the widest vectors."""
    told = subprocess.run([compiler, "-v", model, "--emit=graph", "-o", os.devnull], capture_output=True, text=True)
    name = re.search(r"^target: [^,]*, ([^,]*),", told.stdout + told.stderr, re.MULTILINE)[1]
    flags = cpuinfo("flags").split()
    return name + "-" + next(short for flag, short in SIMD.items() if flag in flags)


def labels():
    """Columns of every row of results that stay the same during a run."""
    flags = cpuinfo("flags").split()
    commit = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return {"commit": commit.stdout.strip() or "unknown",
            "cpu": f"{cpuinfo('model name')} (family {cpuinfo('cpu family')}, model {cpuinfo('model')})",
            "cores": cores(), "flags": " ".join(flag for flag in INTERESTING if flag in flags)}
