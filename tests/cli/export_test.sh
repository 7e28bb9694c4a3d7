# examples/export on a small network: the model has a symbolic batch, and agrees with what torch computed.
. "$(dirname "$0")/common.sh"
python=${PYTHON:-python3}
$python -c 'import torch, onnx' 2>/dev/null || skip "no torch and onnx for $python to export with"
cat >small.py <<'END_OF_PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
import torch
from export import export
torch.manual_seed(1)
nn = torch.nn
export(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                     nn.Linear(8, 10)), torch.rand(2, 3, 16, 16), "small.onnx")
END_OF_PYTHON
PYTHONDONTWRITEBYTECODE=1 $python small.py "$here/../../examples/export" >out 2>&1 || failed "export: $(cat out)"
succeeds verify small.onnx
[ "$(tail -n 1 "$work.out")" = "1 of 1 data sets agree" ] || failed "verify ends with $(tail -n 1 "$work.out")"
succeeds small.onnx -o net.o -mcpu=x86-64 --input=u8,nhwc,torchvision --output=softmax,top5
holds net.h "int64_t batch, "
at_most 30 "$here/../../examples/export/README.md"
finish
