"""Writes the models of the command-line tests: tiny.onnx (a symbolic batch), sized.onnx (symbolic height and width),
many.onnx (20 inputs and outputs, each output the sum of two inputs beside each other) and unknown.onnx (an operator that
resnetcc does not have, in a node whose name would move a terminal's cursor)."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(7)


def constant(name, *shape):
    return numpy_helper.from_array(random.uniform(-0.5, 0.5, shape).astype(np.float32), name)


def save(path, nodes, x, y, constants):
    save_many(path, nodes, [x], [y], constants)


def save_many(path, nodes, x, y, constants):
    graph = helper.make_graph(nodes, "tiny", x, y, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="")
    onnx.checker.check_model(model)
    onnx.save(model, path)


def tensor(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


classifier = [
    helper.make_node("Conv", ["image", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c"], ["r"], "relu"),
    helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
    helper.make_node("Flatten", ["p"], ["f"], "flatten"),
    helper.make_node("Gemm", ["f", "v"], ["scores"], "gemm"),
]
constants = [constant("w", 4, 3, 3, 3), constant("b", 4), constant("v", 4, 5)]
save("tiny.onnx", classifier, tensor("image", "N", 3, 8, 8), tensor("scores", "N", 5), constants)
save("sized.onnx", classifier, tensor("image", "N", 3, "H", "W"), tensor("scores", "N", 5), constants)
sums = [helper.make_node("Add", [f"x{i}", f"x{(i + 1) % 20}"], [f"y{i}"]) for i in range(20)]
save_many("many.onnx", sums, [tensor(f"x{i}", 2) for i in range(20)], [tensor(f"y{i}", 2) for i in range(20)], [])
unknown = [helper.make_node("Foo", ["image"], ["scores"], "a\n\x1b[2Jb")]
save("unknown.onnx", unknown, tensor("image", "N", 5), tensor("scores", "N", 5), [])
