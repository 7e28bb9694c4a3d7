# No pass changes what the bundled models answer, with what rests on finite activations and without.
. "$(dirname "$0")/common.sh"

models=0
for model in "$here"/../models/*/model.onnx; do
  for strict in "" --strict; do
    succeeds "$model" --each-pass --verify $strict --emit=graph -o /dev/null
    holds "$work.err" "pack: outputs as after"
    models=$((models + 1))
  done
done
[ $models -ge 20 ] || failed "only $models models"
finish
