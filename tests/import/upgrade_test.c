/* upgrade_test.c: each old form of an operator against the newest form that import makes of it. */
#include "onnx_writer.h"

/* The nodes and constants that import makes of nodes that read x and define y. */
static void check(int opset, const char *before, const char *after) {
  Context *cx = context_new();
  const char *text = format_text(cx, "input x 1 2,3,4\noutput y 0 -\n%s\n", before);
  const char *expected = format_text(cx, "input x f32 [2,3,4]\n%soutput y\n", after);
  check_import(opset, text, expected);
  context_free(cx);
}

static void check_bad(int opset, const char *node, const char *reason) {
  Context *cx = context_new();
  check_refused(opset, format_text(cx, "input x 1 2,3,4\noutput y 0 -\n%s\n", node),
                format_text(cx, "test: node \"y\" %s", reason));
  context_free(cx);
}

static void attributes_become_inputs(void **state) {
  (void)state;
  check(11, "y = Squeeze(x) axes=[0,-1]", "const y.axes i64 [2] = {0, -1}\ny = Squeeze(x, y.axes)\n");
  check(11, "y = Squeeze(x)", "y = Squeeze(x)\n");
  check(12, "y = Unsqueeze(x) axes=[1]", "const y.axes i64 [1] = {1}\ny = Unsqueeze(x, y.axes)\n");
  check(17, "y = ReduceMean(x) axes=[1] keepdims=0",
        "const y.axes i64 [1] = {1}\ny = ReduceMean(x, y.axes) keepdims=0\n");
  check(9, "y = Slice(x) starts=[1] ends=[2] axes=[0]",
        "const y.starts i64 [1] = {1}\nconst y.ends i64 [1] = {2}\nconst y.axes i64 [1] = {0}\n"
        "y = Slice(x, y.starts, y.ends, y.axes)\n");
  check(10, "y = Pad(x) pads=[0,0,1,0,0,1] value=0.5 mode=\"constant\"",
        "const y.pads i64 [6] = {0, 0, 1, 0, 0, 1}\ny = Pad(x, y.pads) value=0.5 mode=\"constant\"\n");
}

static void the_newest_form_stays(void **state) {
  (void)state;
  check(18, "consti a 1 = 1\ny = ReduceMean(x, a) noop_with_empty_axes=1",
        "const a i64 [1] = {1}\ny = ReduceMean(x, a) noop_with_empty_axes=1\n");
  check(13, "consti a 1 = 0\ny = Unsqueeze(x, a)", "const a i64 [1] = {0}\ny = Unsqueeze(x, a)\n");
  check(13, "y = Softmax(x) axis=1", "y = Softmax(x) axis=1\n");
  check(14, "y = Reshape(x, x) allowzero=1", "y = Reshape(x, x) allowzero=1\n");
}

static void split_without_sizes_counts_its_outputs(void **state) {
  (void)state;
  check(11, "y, z = Split(x) axis=1 split=[1,2]",
        "const y.split i64 [2] = {1, 2}\ny, z = Split(x, y.split) axis=1\n");
  check(12, "y, z = Split(x) axis=2", "y, z = Split(x) axis=2 num_outputs=2\n");
  check(17, "y, _, z = Split(x)", "y, _, z = Split(x) num_outputs=3\n");
}

static void old_softmax_sees_a_matrix(void **state) {
  (void)state;
  check(12, "y = Softmax(x) axis=-1", "y = Softmax(x) axis=-1\n");
  check(12, "y = Softmax(x)",
        "y.matrix = Flatten(x) axis=1\ny.softmax = Softmax(y.matrix) axis=-1\ny.shape = Shape(x)\n"
        "y = Reshape(y.softmax, y.shape)\n");
  check(7, "y = LogSoftmax(x) axis=0",
        "y.matrix = Flatten(x) axis=0\ny.softmax = LogSoftmax(y.matrix) axis=-1\ny.shape = Shape(x)\n"
        "y = Reshape(y.softmax, y.shape)\n");
}

static void sums_become_additions(void **state) {
  (void)state;
  check(8, "y = Sum(x)", "y = Identity(x)\n");
  check(8, "y = Sum(x, x)", "y = Add(x, x)\n");
  check(13, "const w 1 = 2\ny = Sum(x, w, x, w)",
        "const w f32 [1] = {2}\ny.sum = Add(x, w)\ny.sum.2 = Add(y.sum, x)\ny = Add(y.sum.2, w)\n");
  check_bad(8, "y = Sum(x, _, x)", "(Sum): input 1 is missing");
}

static void min_max_and_mean_are_chains(void **state) {
  (void)state;
  check(13, "y = Min(x, x, x)", "y.sum = Min(x, x)\ny = Min(y.sum, x)\n");
  check(8, "y = Max(x)", "y = Identity(x)\n");
  check(13, "y = Mean(x, x)", "const y.terms f32 [] = {2}\ny.sum = Add(x, x)\ny.divisor = CastLike(y.terms, x)\n"
                              "y = Div(y.sum, y.divisor)\n");
}

static void activations_have_one_form(void **state) {
  (void)state;
  check(20, "y = Gelu(x) approximate=\"none\"", "y = Gelu(x)\n");
  check(20, "y = Gelu(x) approximate=\"tanh\"", "y = FastGelu(x)\n");
  check_bad(20, "y = Gelu(x) approximate=\"sin\"", "(Gelu): approximate is none or tanh, not \"sin\"");
  check(13, "y = Gelu(x) domain:com.microsoft", "y = Gelu(x)\n");
  check(13, "y = FastGelu(x) domain:com.microsoft", "y = FastGelu(x)\n");
  check(13, "const b 1 = 2\ny = FastGelu(x, b) domain:com.microsoft",
        "const b f32 [1] = {2}\ny.biased = Add(x, b)\ny = FastGelu(y.biased)\n");
  check(13, "const b 1 = 2\ny = BiasGelu(x, b) domain:com.microsoft",
        "const b f32 [1] = {2}\ny.biased = Add(x, b)\ny = Gelu(y.biased)\n");
  check(13, "y = QuickGelu(x) domain:com.microsoft", "y = Swish(x) alpha=1.702\n");
  /* Those that the graph calls otherwise, for it has steps of that name. */
  check(13, "y = QLinearAdd(x, x) domain:com.microsoft", "y = QuantizedAdd(x, x)\n");
  check(13, "y = DequantizeLinear(x, x) domain:com.microsoft", "y = DequantizeLinear(x, x)\n");
}

static void dropout_keeps_everything(void **state) {
  (void)state;
  check(7, "y = Dropout(x) ratio=0.5", "y = Identity(x)\n");
  check(9, "y, m = Dropout(x)", "y = Identity(x)\n");
  check(12, "const r = 0.5\ny = Dropout(x, r)", "const r f32 [] = {0.5}\ny = Identity(x)\n");
  check(12, "y, m = Dropout(x) seed=1",
        "const y.kept bool [1] = {1}\ny = Identity(x)\ny.shape = Shape(x)\n"
        "m = ConstantOfShape(y.shape) value=&y.kept\n");
  check(10, "y, m = Dropout(x)", "const y.kept bool [1] = {0}\ny = Identity(x)\ny.shape = Shape(x)\n"
        "m = ConstantOfShape(y.shape) value=&y.kept\n");
  check_bad(12, "input t 9 1\ny = Dropout(x, _, t)", "(Dropout): training_mode must be a constant");
}

static void an_old_mask_cannot_be_read(void **state) {
  (void)state;
  check_refused(9, "input x 1 2\noutput y 0 -\nd, m = Dropout(x)\ny = Relu(m)",
                "test: node \"y\" (Relu): one of its inputs is computed by no node, or from its own output");
}

static void batch_norm_may_be_of_training(void **state) {
  (void)state;
  check(9, "const s 3 = 1 2 3\ny, _, _ = BatchNormalization(x, s, s, s, s) momentum=0.9",
        "const s f32 [3] = {1, 2, 3}\ny = BatchNormalization(x, s, s, s, s) momentum=0.9\n");
  check_bad(8, "y = BatchNormalization(x, x, x, x, x) spatial=0",
            "(BatchNormalization): statistics per element (spatial=0) are not supported");
  check(15, "const s 3 = 1 2 3\ny, a, b = BatchNormalization(x, s, s, s, s) training_mode=1",
        "const s f32 [3] = {1, 2, 3}\ny, a, b = BatchNormalizationInTraining(x, s, s, s, s) training_mode=1\n");
  check(15, "const s 3 = 1 2 3\ny, a, b = BatchNormalization(x, s, s, s, s)",
        "const s f32 [3] = {1, 2, 3}\ny = BatchNormalization(x, s, s, s, s)\n");
  check(9, "const s 3 = 1 2 3\ny, a, b, c, d = BatchNormalization(x, s, s, s, s)",
        "const s f32 [3] = {1, 2, 3}\ny, a, b = BatchNormalizationInTraining(x, s, s, s, s) training_mode=1\n");
  check_bad(6, "y = BatchNormalization(x, x, x, x, x)",
            "(BatchNormalization): is in training mode; export the model for inference, in PyTorch after model.eval()");
  check_bad(9, "y = BatchNormalization(x, x, x, x)", "(BatchNormalization): input 4 is missing");
}

static void set_6_broadcasts_by_axis(void **state) {
  (void)state;
  check(6, "const b 3 = 1 2 3\ny = Add(x, b) axis=1 broadcast=1",
        "const b f32 [3] = {1, 2, 3}\nconst y.axes i64 [1] = {1}\ny.unsqueezed = Unsqueeze(b, y.axes)\n"
        "y = Add(x, y.unsqueezed)\n");
  check(6, "const b 4 = 1 2 3 4\ny = Mul(x, b) broadcast=1",
        "const b f32 [4] = {1, 2, 3, 4}\ny = Mul(x, b)\n");
  check(6, "const s 3 = 1 2 3\ny = PRelu(x, s)",
        "const s f32 [3] = {1, 2, 3}\nconst y.axes i64 [1] = {1}\ny.unsqueezed = Unsqueeze(s, y.axes)\n"
        "y = PRelu(x, y.unsqueezed)\n");
  check(7, "const s 4 = 1 2 3 4\ny = PRelu(x, s)", "const s f32 [4] = {1, 2, 3, 4}\ny = PRelu(x, s)\n");
  check_bad(6, "const b 3 = 1 2 3\ny = Add(x, b) axis=3 broadcast=1",
            "(Add): the attribute axis is out of range");
}

static void upsample_becomes_resize(void **state) {
  (void)state;
  check(10, "const s 2 = 1 2\ny = Resize(x, s) mode=\"linear\"",
        "const s f32 [2] = {1, 2}\ny = Resize(x, _, s) mode=\"linear\" coordinate_transformation_mode=\"asymmetric\" "
        "nearest_mode=\"floor_or_ceil_by_scale\"\n");
  check(9, "const s 2 = 1 2\ny = Upsample(x, s)",
        "const s f32 [2] = {1, 2}\ny = Resize(x, _, s) coordinate_transformation_mode=\"asymmetric\" "
        "nearest_mode=\"floor_or_ceil_by_scale\"\n");
}

static void attributes_of_the_wrong_kind_are_refused(void **state) {
  (void)state;
  check_bad(11, "y = Squeeze(x) axes=1", 
            "(Squeeze): attribute \"axes\" is an integer, the operator takes a list of integers");
  check_bad(10, "y = Clip(x) min=0", "(Clip): attribute \"min\" is an integer, the operator takes a float");
  check_bad(9, "y = Slice(x) starts=[1]", "(Slice): input 2 is missing");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(attributes_become_inputs),
    cmocka_unit_test(the_newest_form_stays),
    cmocka_unit_test(split_without_sizes_counts_its_outputs),
    cmocka_unit_test(old_softmax_sees_a_matrix),
    cmocka_unit_test(sums_become_additions),
    cmocka_unit_test(min_max_and_mean_are_chains),
    cmocka_unit_test(activations_have_one_form),
    cmocka_unit_test(dropout_keeps_everything),
    cmocka_unit_test(an_old_mask_cannot_be_read),
    cmocka_unit_test(batch_norm_may_be_of_training),
    cmocka_unit_test(set_6_broadcasts_by_axis),
    cmocka_unit_test(upsample_becomes_resize),
    cmocka_unit_test(attributes_of_the_wrong_kind_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
