#!/usr/bin/env python3
"""Times networks compiled by resnetcc against other runtimes.

Every runtime is a process of its own that stays loaded; they take turns, so that whatever else the machine does
hits all alike. Before that, everyone's outputs are compared with those in double precision (of a model file: with
ONNX Runtime's). Printed are the least and the median time of a run, the share of the FMA peak measured between the
turns, the error relative to the largest output, and the time over that of the fastest other runtime whose error is
at most 1e-4 (less than 1: resnetcc is faster). Of networks of 8-bit integers the outputs are to be ONNX Runtime's to the
last bit, the peak is that of integers, and every runtime is a measure, for others round otherwise.

run.sh installs what this needs and runs it with --record.
"""
import argparse
import csv
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

import machine
import report
from networks import EXPORTED, FAMILIES, INT8, NETWORKS, QUANTIZED, RESIDUAL
from runtimes import RUNTIMES, Peer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "resnetcc-bench"


# ---- the models: folders with model.onnx, inputs.npz, outputs.npz and, of those made here, torch.pt ----

def network_folder(name):
    folder = CACHE / "models" / name
    if not (folder / "outputs.npz").exists():  # written last
        floats = [network_folder(name.removesuffix(INT8))] if name.endswith(INT8) else []
        print(f"making {name} in {folder}", flush=True)
        program = ["quantized.py", folder, *floats] if floats else ["models.py", name, folder]
        subprocess.run([sys.executable, HERE / program[0], *program[1:]], check=True)
    return folder


def file_folder(file, scratch, batch):
    """Of a model file: random inputs, and what ONNX Runtime computes of them."""
    import onnxruntime
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    (folder / "model.onnx").symlink_to(pathlib.Path(file).resolve())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    inputs = {}
    for i in session.get_inputs():
        shape = [d if isinstance(d, int) else batch for d in i.shape]
        if shape[0] != batch:
            sys.exit(f"bench: {file}: {i.name} has a batch of {shape[0]}, not {batch}")
        dtype = onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, i.type[7:-1].upper(), 1))
        inputs[i.name] = rng.standard_normal(shape).astype(dtype)
    np.savez(folder / "inputs.npz", **inputs)
    outputs = zip(session.get_outputs(), session.run(None, inputs))
    np.savez(folder / "outputs.npz", **{o.name: y for o, y in outputs})
    return folder


def flop_count(folder, inputs):
    """Multiplications and additions of the convolutions and matrix products, as the definitions have them. Shapes are those
    that ONNX Runtime finds: shape inference does not get past every exporter's arithmetic."""
    import onnxruntime
    model = onnx.load(folder / "model.onnx")
    weights = {t.name: t.dims for t in model.graph.initializer}
    nodes = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    names = list({name for n in nodes for name in (n.output[0], n.input[1]) if name not in weights})
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = weights | {name: y.shape for name, y in zip(names, session.run(names, inputs))}
    total = 0
    for node in nodes:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        weight = shape[node.input[1]]
        depth = np.prod(weight[1:]) if node.op_type == "Conv" else weight[-1] if transposed else weight[-2]
        total += 2 * int(np.prod(shape[node.output[0]])) * int(depth)
    return total


# ---- one case: a model, a batch, a number of threads ----

def output_errors(args, peers, batch):
    """Everyone's largest error relative to the largest output."""
    golden = [y[:batch] for y in np.load(args.folder / "outputs.npz").values()]
    errors = {}
    for p in peers:
        outputs = np.load(args.scratch / f"{p.name}.npz").values()
        errors[p.name] = max(np.abs(y.astype(np.float64) - z).max() / (np.abs(z).max() or 1)
                             for y, z in zip(outputs, golden, strict=True))
    if errors.get("resnetcc", 0) > (report.TOLERANCE if not args.model.endswith(INT8) else 0):
        sys.exit(f"bench: {args.model}: resnetcc is off by {errors['resnetcc']:.1e} of the largest output")
    return errors


def measure_peak(args, threads):
    """GFLOP/s of as many cores as there are threads; of 8-bit integers, multiply-adds by vpdpbusd."""
    command = [args.peak, "5", "int8"] if args.model.endswith(INT8) else [args.peak]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(threads)]
    return sum(float(run.communicate()[0].split()[0]) for run in runs)


def take_turns(args, peers, threads):
    """Fills everyone's times; the results are the peaks measured in between."""
    counts = {p: max(1, round(args.turn / min(p.turn(3)))) for p in peers}  # this also warms up
    for p in peers:
        p.times.clear()
    peaks = []
    for _ in range(args.rounds):
        peaks.append(measure_peak(args, threads))
        for p in peers:
            p.turn(counts[p])
    return peaks


def bench(args, threads, batch):
    inputs = {name: x[:batch] for name, x in np.load(args.folder / "inputs.npz").items()}
    np.savez(args.scratch / "inputs.npz", **inputs)
    peers = [Peer(name, args, threads, batch) for name in args.runtimes.split(",")
             if (name != "torch" or (args.folder / "torch.pt").exists()) and not (name == "ncnn" and args.model.endswith(INT8))]
    versions = {p.name: answer["version"] for p in peers if (answer := p.answer())}
    for p in peers:
        if p.name not in versions:
            print(f"bench: {p.name} cannot run {args.model}; its message is above", file=sys.stderr)
    peers = [p for p in peers if p.name in versions]
    errors = output_errors(args, peers, batch)
    peaks = take_turns(args, peers, threads)
    flop = flop_count(args.folder, inputs)
    rows = []
    for p in peers:
        p.close()
        least = min(p.times)
        rows.append({"model": args.model, "batch": batch, "threads": threads, "runtime": p.name,
                     "version": versions[p.name], "min_ms": f"{least * 1e3:.4f}",
                     "median_ms": f"{statistics.median(p.times) * 1e3:.4f}", "runs": len(p.times),
                     "error": f"{errors[p.name]:.1e}", "peak_percent": f"{flop / least / max(peaks) * 1e-7:.1f}",
                     "peak_gflops": f"{max(peaks):.1f}", "lowest_peak_gflops": f"{min(peaks):.1f}",
                     "options": " ".join(args.option), "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
                     **args.labels})
    return rows


def print_rows(rows):
    first, best = rows[0], report.fastest_other(rows)
    print(f"{first['model']}, batch {first['batch']}, {first['threads']} thread(s), "
          f"peak {first['peak_gflops']} GFLOP/s")
    for row in rows:
        ratio = f"{float(row['min_ms']) / float(best['min_ms']):6.3f}" if best else "     -"
        print(f"  {row['runtime']:12s} min {row['min_ms']:>10s} ms  median {row['median_ms']:>10s} ms  "
              f"{row['peak_percent']:>5s} % of peak  error {row['error']}  ratio {ratio}", flush=True)


def merge_csv(file, rows):
    """Replaces the rows of the same cases, keeps the others."""
    file.parent.mkdir(parents=True, exist_ok=True)
    old = report.read_csv(file) if file.exists() else []
    new = {report.case(row) for row in rows}
    rows = [row for row in old if report.case(row) not in new] + rows
    with open(file, "w", newline="") as out:
        table = csv.DictWriter(out, rows[-1])
        table.writeheader()
        table.writerows(rows)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="*", metavar="MODEL", help=f"an ONNX file, or of {', '.join(RESIDUAL)} (all of these), "
                   f"{', '.join(FAMILIES)}, {', '.join(QUANTIZED)}; of all but the last also NAME-dynamo, from torch's other exporter")
    p.add_argument("--threads", default="1,all", help="numbers, or all: the physical cores (1,all)")
    p.add_argument("--batch", default="1,8", help="numbers of images (1,8)")
    p.add_argument("--runtimes", default=",".join(RUNTIMES), help="(%(default)s)")
    p.add_argument("--rounds", type=int, default=15, help="turns of every runtime (%(default)s)")
    p.add_argument("--turn", type=float, default=0.3, help="seconds a turn lasts, roughly (%(default)s)")
    p.add_argument("--option", action="append", default=[], help="one more option for resnetcc, as --option=-mcpu=...")
    p.add_argument("--resnetcc", default=str(ROOT / "build/release/resnetcc"))
    p.add_argument("--runtime", default=str(ROOT / "build/release/libresnetcc_rt.a"))
    p.add_argument("--csv", type=pathlib.Path, metavar="FILE", help="where to put the results beside those there")
    p.add_argument("--record", action="store_true", help="--csv into results/, under the name of the machine's class")
    args = p.parse_args()
    args.threads = [machine.cores() if n == "all" else int(n) for n in args.threads.split(",")]
    args.batch = [int(n) for n in args.batch.split(",")]
    return args


def main():
    args = arguments()
    args.labels = machine.labels()
    with tempfile.TemporaryDirectory() as scratch:
        args.scratch = pathlib.Path(scratch)
        args.peak = str(args.scratch / "peak")
        subprocess.run(["cc", "-O2", HERE / "peak.c", "-o", args.peak], check=True)
        cases = [(model, threads, batch) for batch in args.batch for threads in sorted(set(args.threads))
                 for model in args.models or RESIDUAL]
        for args.model, threads, batch in cases:
            known = args.model in [*NETWORKS, *QUANTIZED, *EXPORTED]
            args.folder = network_folder(args.model) if known else file_folder(args.model, scratch, batch)
            rows = bench(args, threads, batch)
            print_rows(rows)
            if args.record:
                name = machine.machine_class(args.resnetcc, args.folder / "model.onnx")
                args.csv = HERE / "results" / f"{name}.csv"
            if args.csv:
                merge_csv(args.csv, rows)
                report.write(args.csv)


if __name__ == "__main__":
    main()
