"""The networks of the bench and the shapes of their images: the residual ones, which it always measures, and one of
each other family of convolutional networks, which architectures.py makes; those that quantized.py makes of them; and
those that the other one of torch's two exporters writes."""

PHOTOGRAPH = (3, 224, 224)
RESIDUAL = {
    "resnet18": PHOTOGRAPH,
    "resnet50": PHOTOGRAPH,
    "resnet20": (3, 32, 32),
    "resnet8": (3, 32, 32),
    "resnext50_32x4d": PHOTOGRAPH,
    "resnet34": PHOTOGRAPH,
    "wide_resnet50_2": PHOTOGRAPH,
    "resnet101": PHOTOGRAPH,
}
FAMILIES = {
    "mobilenet_v2": PHOTOGRAPH,
    "mobilenet_v3_large": PHOTOGRAPH,
    "efficientnet_b0": PHOTOGRAPH,
    "hgnetv2_b0": PHOTOGRAPH,
    "regnet_y_800mf": PHOTOGRAPH,
    "convnext_tiny": PHOTOGRAPH,
    "densenet121": PHOTOGRAPH,
    "se_resnet50": PHOTOGRAPH,
    "resnet50_gn": PHOTOGRAPH,
    "unet_resnet34": PHOTOGRAPH,
    "deeplabv3_resnet50": PHOTOGRAPH,
    "srresnet": (3, 64, 64),
    "r3d_18": (3, 16, 112, 112),
}
NETWORKS = RESIDUAL | FAMILIES
# Quantised to 8 bits by ONNX Runtime's own tool: NAME is a network, of which this is made.
INT8 = "-int8"
QUANTIZED = [name + INT8 for name in ("resnet8", "resnet20", "resnet18", "resnet50", "resnext50_32x4d", "mobilenet_v2")]
# NAME as torch.onnx.export writes it with dynamo=True, with the weights of NAME: other nodes for the same network.
DYNAMO = "-dynamo"
EXPORTED = [name + DYNAMO for name in NETWORKS]
