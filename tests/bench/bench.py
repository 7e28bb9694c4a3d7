#!/usr/bin/env python3
"""Times models compiled by resnetcc against other runtimes.

Every runtime is a process of its own that stays loaded; they take turns, so that whatever else the machine does
hits all alike. Before that, everyone's outputs for the same random inputs are compared. Printed are the least and
the median time of a run, the share of the FMA peak measured between the turns, and the time over that of the
fastest other runtime (less than 1: resnetcc is faster).

Needs numpy, onnx, and of onnxruntime and openvino those to compare with; a C compiler; resnetcc as built or installed.
"""
import argparse
import csv
import ctypes
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ELEMENT = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}
TOLERANCE = 1e-4  # of the largest output; other runtimes use Winograd's algorithm too


# ---- the runtimes: NAME(args, inputs) loads args.model and returns a function that runs it once ----

class Tensor(ctypes.Structure):  # rcc_tensor of resnetcc_rt.h
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("dims", ctypes.POINTER(ctypes.c_int64))]


class Model(ctypes.Structure):  # rcc_model
    _fields_ = [("abi", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("target", ctypes.c_char_p), ("n_inputs", ctypes.c_int32), ("n_outputs", ctypes.c_int32),
                ("inputs", ctypes.POINTER(Tensor)), ("outputs", ctypes.POINTER(Tensor)),
                ("workspace_size", ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_int64, ctypes.c_int32)),
                ("run", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_void_p),
                                         ctypes.POINTER(ctypes.c_void_p), ctypes.c_int64, ctypes.c_void_p,
                                         ctypes.c_size_t, ctypes.c_void_p))]


def rcc_library(args):
    """The model as a shared library: resnetcc's object and the runtime."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=args.scratch))
    subprocess.run([args.resnetcc, args.model, "-o", folder / "net.o", "--name", "net", *args.option], check=True)
    subprocess.run(["cc", "-shared", folder / "net.o", "-Wl,-u,net_model,--whole-archive", args.runtime,
                    "-Wl,--no-whole-archive", "-pthread", "-o", folder / "net.so"], check=True)
    return ctypes.CDLL(str(folder / "net.so"))


def resnetcc(args, inputs):
    library = rcc_library(args)
    model = Model.in_dll(library, "net_model")
    library.rcc_workspace_alloc.restype = library.rcc_pool_create.restype = ctypes.c_void_p
    library.rcc_pool_parallel.restype = ctypes.c_void_p
    parallel = None
    if args.threads > 1:
        parallel = library.rcc_pool_parallel(ctypes.c_void_p(library.rcc_pool_create(args.threads)))
    size = model.workspace_size(args.batch, args.threads)
    workspace = library.rcc_workspace_alloc(ctypes.c_size_t(size))
    arrays = [inputs[model.inputs[i].name.decode()] for i in range(model.n_inputs)]
    outputs = []
    for i in range(model.n_outputs):
        out = model.outputs[i]
        outputs.append(np.empty([args.batch if out.dims[k] < 0 else out.dims[k] for k in range(out.rank)],
                                ELEMENT[out.type]))
    pointers = lambda list_: (ctypes.c_void_p * len(list_))(*[a.ctypes.data for a in list_])
    given, wanted = pointers(arrays), pointers(outputs)

    def run():
        error = model.run(given, wanted, args.batch, workspace, size, parallel)
        if error:
            raise RuntimeError(f"net_model.run returned {error}")
        return outputs
    run.alive = library, arrays
    return run


def onnxruntime(args, inputs):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    session = ort.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def openvino(args, inputs):
    import openvino as ov
    core = ov.Core()
    model = core.read_model(args.model)
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    request = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    for name, array in inputs.items():
        request.set_tensor(name, ov.Tensor(array))
    count = len(model.outputs)

    def run():
        request.infer()
        return [request.get_output_tensor(i).data for i in range(count)]
    return run


RUNTIMES = {f.__name__: f for f in (resnetcc, onnxruntime, openvino)}


# ---- a runtime's process: prints one JSON line when loaded, then one for every number of runs it reads ----

def serve(args):
    inputs = dict(np.load(args.inputs))
    start = time.perf_counter()
    run = RUNTIMES[args.serve](args, inputs)
    load = time.perf_counter() - start
    np.savez(pathlib.Path(args.scratch) / f"{args.serve}.npz", *[np.asarray(y) for y in run()])
    print(json.dumps({"load": load}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


class Peer:
    """The other end of `serve`."""

    def __init__(self, name, args, inputs):
        self.name, self.times = name, []
        options = ["--threads", args.threads, "--batch", args.batch, "--resnetcc", args.resnetcc, "--runtime",
                   args.runtime, "--scratch", args.scratch, "--inputs", inputs]
        options += [f"--option={option}" for option in args.option]
        self.process = subprocess.Popen([sys.executable, __file__, "--serve", name, args.model, *map(str, options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.load = self.answer()["load"]

    def answer(self):
        for line in self.process.stdout:
            if line.startswith(("{", "[")):  # some runtimes greet on standard output
                return json.loads(line)
        sys.exit(f"bench: {self.name} ended early; its message is above")

    def turn(self, count):
        print(count, file=self.process.stdin, flush=True)
        times = self.answer()
        self.times += times
        return times

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- one model ----

def random_inputs(graph, batch):
    rng = np.random.default_rng(1)
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {}
    for i in (i for i in graph.input if i.name not in weights):
        shape = [d.dim_value or batch for d in i.type.tensor_type.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type)
        inputs[i.name] = rng.standard_normal(shape).astype(dtype)
    return inputs


def flop_count(model, batch):
    """Multiplications and additions of the convolutions and matrix products, as the definitions have them."""
    for i in model.graph.input:
        for d in i.type.tensor_type.shape.dim:
            d.dim_value = d.dim_value or batch
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shape = {t.name: list(t.dims) for t in graph.initializer}
    shape |= {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
              for v in [*graph.value_info, *graph.output, *graph.input]}
    total = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        weight = shape[node.input[1]]
        depth = np.prod(weight[1:]) if node.op_type == "Conv" else weight[-1] if transposed else weight[-2]
        total += 2 * int(np.prod(shape[node.output[0]])) * int(depth)
    return total


def check_outputs(args, peers):
    """Everyone's largest difference from the first other runtime, relative to the largest output."""
    results = {p.name: list(np.load(pathlib.Path(args.scratch) / f"{p.name}.npz").values()) for p in peers}
    base = next((p.name for p in peers if p.name != "resnetcc"), peers[0].name)
    for name, outputs in results.items():
        for y, z in zip(outputs, results[base], strict=True):
            error = np.abs(y.astype(np.float64) - z).max() / (np.abs(z).max() or 1)
            if not error <= TOLERANCE:
                sys.exit(f"bench: {args.model}: {name} differs from {base} by {error:.1e}")


def measure_peak(args):
    """GFLOP/s of as many cores as there are threads."""
    runs = [subprocess.Popen([args.peak], stdout=subprocess.PIPE, text=True) for _ in range(args.threads)]
    return sum(float(run.communicate()[0].split()[0]) for run in runs)


def bench(args):
    model = onnx.load(args.model)
    inputs = pathlib.Path(args.scratch) / "inputs.npz"
    np.savez(inputs, **random_inputs(model.graph, args.batch))
    peers = [Peer(name, args, inputs) for name in args.runtimes.split(",")]
    check_outputs(args, peers)
    counts = {p: max(1, round(args.turn / min(p.turn(3)))) for p in peers}  # this also warms up
    for p in peers:
        p.times.clear()
    peak = 0
    for _ in range(args.rounds):
        peak = max(peak, measure_peak(args))
        for p in peers:
            p.turn(counts[p])
    flop = flop_count(model, args.batch)
    others = [min(p.times) for p in peers if p.name != "resnetcc"]
    rows = []
    for p in peers:
        least = min(p.times)
        rows.append({"model": args.model, "threads": args.threads, "batch": args.batch, "runtime": p.name,
                     "min_ms": least * 1e3, "median_ms": statistics.median(p.times) * 1e3,
                     "peak_percent": flop / least / peak * 1e-7, "ratio": least / min(others) if others else None,
                     "load_s": p.load, "peak_gflops": peak})
        p.close()
    return rows


def print_rows(rows):
    first = rows[0]
    print(f"{first['model']}, {first['threads']} thread(s), batch {first['batch']}, "
          f"peak {first['peak_gflops']:.1f} GFLOP/s")
    for row in rows:
        ratio = f"{row['ratio']:6.3f}" if row["ratio"] else "     -"
        print(f"  {row['runtime']:12s} min {row['min_ms']:9.3f} ms  median {row['median_ms']:9.3f} ms  "
              f"{row['peak_percent']:5.1f} % of peak  ratio {ratio}", flush=True)


def write_results(args, rows):
    if args.json:
        machine = {"machine": platform.processor() or platform.machine(), "system": platform.platform()}
        pathlib.Path(args.json).write_text(json.dumps({**machine, "rows": rows}, indent=1) + "\n")
    if args.csv:
        with open(args.csv, "w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+", metavar="MODEL.onnx")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batch", type=int, default=1, help="in place of a symbolic batch")
    p.add_argument("--runtimes", default=",".join(RUNTIMES))
    p.add_argument("--rounds", type=int, default=7, help="turns of every runtime")
    p.add_argument("--turn", type=float, default=0.5, help="seconds a turn lasts, roughly")
    p.add_argument("--option", action="append", default=[], help="one more option for resnetcc, as --option=-mcpu=...")
    p.add_argument("--resnetcc", default=str(ROOT / "build/release/resnetcc"))
    p.add_argument("--runtime", default=str(ROOT / "build/release/libresnetcc_rt.a"))
    p.add_argument("--json", metavar="FILE")
    p.add_argument("--csv", metavar="FILE")
    for internal in ("--serve", "--scratch", "--inputs"):
        p.add_argument(internal, help=argparse.SUPPRESS)
    return p.parse_args()


def main():
    args = arguments()
    if args.serve:
        args.model = args.models[0]
        return serve(args)
    rows = []
    with tempfile.TemporaryDirectory() as args.scratch:
        args.peak = str(pathlib.Path(args.scratch) / "peak")
        subprocess.run(["cc", "-O2", HERE / "peak.c", "-o", args.peak], check=True)
        for args.model in args.models:
            rows += (model_rows := bench(args))
            print_rows(model_rows)
    write_results(args, rows)


if __name__ == "__main__":
    main()
