#!/usr/bin/env python3
"""The runtimes of the bench, each served by a process of its own (bench.py starts them).

NAME(args, inputs) loads the model in args.folder for inputs of these shapes and returns a function that runs it once
and returns the outputs. All compute in fp32, as an ordinary user would have them do, with the options that their
documentation recommends for speed.
"""
import argparse
import ctypes
import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

ELEMENT = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16,
           11: np.float64}


# ---- resnetcc ----

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
    subprocess.run([args.resnetcc, args.folder / "model.onnx", "-o", folder / "net.o", "--name", "net", "--batch",
                    str(args.batch), *args.option], check=True)
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
    size = model.workspace_size(1, args.threads)
    workspace = library.rcc_workspace_alloc(ctypes.c_size_t(size))
    arrays = [inputs[model.inputs[i].name.decode()] for i in range(model.n_inputs)]
    outputs = [np.empty(out.dims[:out.rank], ELEMENT[out.type]) for out in model.outputs[:model.n_outputs]]
    pointers = lambda list_: (ctypes.c_void_p * len(list_))(*[a.ctypes.data for a in list_])
    given, wanted = pointers(arrays), pointers(outputs)

    def run():
        error = model.run(given, wanted, 1, workspace, size, parallel)
        if error:
            raise RuntimeError(f"net_model.run returned {error}")
        return outputs
    run.alive = library, arrays
    return run


# ---- the others ----

def onnxruntime(args, inputs):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    options.add_free_dimension_override_by_name("batch", args.batch)  # its name in the models of the bench
    session = ort.InferenceSession(str(args.folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def openvino(args, inputs):
    import openvino as ov
    core = ov.Core()
    model = core.read_model(str(args.folder / "model.onnx"))
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


def ncnn_model(args, inputs):
    """Converted by pnnx for one image, beside the model, once."""
    param = args.folder / "model.ncnn.param"
    if not param.exists():
        shapes = ",".join(str([1, *x.shape[1:]]).replace(" ", "") for x in inputs.values())
        pnnx = pathlib.Path(sys.executable).parent / "pnnx"
        told = subprocess.run([pnnx, "model.onnx", f"inputshape={shapes}", "fp16=0"], cwd=args.folder,
                              capture_output=True, text=True)
        if told.returncode or not param.exists():
            raise RuntimeError(f"pnnx: {told.stdout}{told.stderr}")
    return param


def ncnn(args, inputs):
    """ncnn knows no batches: image by image."""
    import ncnn as library
    net = library.Net()
    net.opt.num_threads = args.threads
    for name in ("vulkan_compute", "fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    param = ncnn_model(args, inputs)
    if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
        raise RuntimeError(f"ncnn cannot load {param}")
    images = [[library.Mat(x[i]) for x in inputs.values()] for i in range(args.batch)]
    names = net.output_names()

    def one(image):
        extractor = net.create_extractor()
        for i, x in enumerate(image):
            extractor.input(f"in{i}", x)
        return [np.array(extractor.extract(name)[1]) for name in names]
    return lambda: [np.stack(ys) for ys in zip(*map(one, images))]


def torch(args, inputs):
    """Traced, frozen and fused: faster on CPUs than both eager mode and torch.compile, which it is to give way to."""
    import torch as library
    warnings.simplefilter("ignore", FutureWarning)
    library.set_num_threads(args.threads)
    library.set_num_interop_threads(1)
    library.set_grad_enabled(False)
    net = library.jit.optimize_for_inference(library.jit.freeze(library.jit.load(args.folder / "torch.pt").eval()))
    tensors = [library.from_numpy(x) for x in inputs.values()]
    return lambda: [net(*tensors).numpy()]


RUNTIMES = {f.__name__: f for f in (resnetcc, onnxruntime, openvino, ncnn, torch)}


# ---- the process: prints one JSON line when loaded, then one for every number of runs it reads ----

def version(args):
    if args.serve == "resnetcc":
        return subprocess.run([args.resnetcc, "--version"], capture_output=True, text=True).stdout.split()[1]
    return importlib.metadata.version(args.serve)


def serve(args):
    inputs = dict(np.load(args.scratch / "inputs.npz"))
    run = RUNTIMES[args.serve](args, inputs)
    np.savez(args.scratch / f"{args.serve}.npz", *[np.asarray(y) for y in run()])
    print(json.dumps({"version": version(args)}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


class Peer:
    """The other end of `serve`. `answer` is to be called once before the first turn."""

    def __init__(self, name, args, threads, batch):
        self.name, self.times = name, []
        options = {"--threads": threads, "--batch": batch, "--resnetcc": args.resnetcc, "--runtime": args.runtime,
                   "--folder": args.folder, "--scratch": args.scratch}
        command = [sys.executable, __file__, name, *[str(part) for pair in options.items() for part in pair]]
        self.process = subprocess.Popen(command + [f"--option={option}" for option in args.option],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self):
        """None: it has ended, after a message on standard error."""
        lines = (line for line in self.process.stdout if line.startswith(("{", "[")))  # some runtimes greet there
        return json.loads(next(lines, "null"))

    def turn(self, count):
        print(count, file=self.process.stdin, flush=True)
        times = self.answer()
        self.times += times
        return times

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("serve", choices=RUNTIMES)
    p.add_argument("--threads", type=int)
    p.add_argument("--batch", type=int)
    p.add_argument("--folder", type=pathlib.Path)
    p.add_argument("--scratch", type=pathlib.Path)
    p.add_argument("--resnetcc")
    p.add_argument("--runtime")
    p.add_argument("--option", action="append", default=[])
    return p.parse_args()


if __name__ == "__main__":
    serve(arguments())
