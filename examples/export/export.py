"""export.py NETWORK FILE.onnx: exports a torchvision network with its trained weights, and what torch computes with it.

Beside the model lies test_data_set_0, which `resnetcc verify` compares with."""

import pathlib
import sys

import onnx.numpy_helper
import torch


def export(model, image, path):
    """`image` is an input of the network, [N, 3, height, width]; the model takes any N."""
    model = model.eval()  # statistics of training, no dropout
    torch.onnx.export(
        model,
        (image,),
        path,
        opset_version=17,
        dynamo=False,
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )
    with torch.no_grad():
        scores = model(image)
    folder = pathlib.Path(path).parent / "test_data_set_0"
    folder.mkdir(exist_ok=True)
    for file, name, tensor in ("input_0.pb", "image", image), ("output_0.pb", "scores", scores):
        (folder / file).write_bytes(onnx.numpy_helper.from_array(tensor.numpy(), name).SerializeToString())


if __name__ == "__main__":
    import torchvision

    if len(sys.argv) != 3:
        sys.exit("usage: export.py NETWORK FILE.onnx")
    network = torchvision.models.get_model(sys.argv[1], weights="DEFAULT")
    torch.manual_seed(1)
    export(network, torch.rand(2, 3, 224, 224), sys.argv[2])
