/* seeds.c: writes the seed corpora of the fuzz targets. usage: fuzz_seeds FOLDER. What lies in tests/fuzz/import, wire, text and
 * graph was made by it, beside inputs that a fuzzer found. */
#include "../import/onnx_writer.h"

#include <sys/stat.h>

static const char *const models[][2] = {
  {"conv", "input x 1 N,3,8,8\nconst w 2,3,1,1 = 1 2 3 4 5 6\nconst b 2 = 1 2\noutput y 1 N,2,8,8\n"
           "y = Conv(x, w, b) pads=[0,0,0,0] strides=[1,1] group=1 auto_pad=\"NOTSET\"\n"},
  {"chain", "input x 1 1,2,4,4\noutput y 0 -\nconst s 2 = 1 2\nb = BatchNormalization(x, s, s, s, s) epsilon=0.1\n"
            "r = Relu(b)\np = MaxPool(r) kernel_shape=[2,2]\ng = GlobalAveragePool(p)\nf = Flatten(g)\n"
            "const w 2,3 = 1 2 3 4 5 6\nm = Gemm(f, w) alpha=1.5\ny = Softmax(m) axis=1\n"},
  {"shapes", "input x 1 N,6\noutput y 0 -\ns = Shape(x)\nconsti i 1 = 0\nk = Gather(s, i) axis=0\nconsti m 1 = -1\n"
             "c = Concat(k, m) axis=0\ny = Reshape(x, c)\n"},
  {"moves", "input x 1 1,4,4,4\noutput y 0 -\noutput z 0 -\na, b = Split(x) axis=1\nt = Transpose(a) perm=[0,2,3,1]\n"
            "consti p 8 = 0 0 1 1 0 0 1 1\nd = Pad(b, p) mode=\"edge\"\nconsti s 1 = 1\nconsti e 1 = 3\n"
            "y = Slice(d, s, e, s)\nz = Identity(t)\n"},
  {"constants", "input x 1 2\noutput y 0 -\nc = Constant() value_floats=[1,2]\nd = Constant() value_float=0.5\ne = Add(x, d)\n"
                "y = Identity(e)\n"},
  {"types", "input x 10 2\ninput i 7 2\ninput n 9 2\noutput y 10 2\nf = Cast(i) to=1\ng = Cast(n) to=1\nh = Add(f, g)\ny = Mul(x, h)\n"},
  {"elementwise", "input x 1 1,2,3\noutput y 0 -\na = Clip(x) \nb = LeakyRelu(a) alpha=0.1\nc = HardSigmoid(b) alpha=0.2 beta=0.5\n"
                  "d = Tanh(c)\ne = Div(d, x)\nf = PRelu(e, x)\ny = Sum(f, x, x)\n"},
  {"functions", "function f(a, b) -> c,d k alpha=0.5\nt = LeakyRelu(a) alpha=@alpha:1\nd = Add(t, b)\nc = Softmax(d) axis=@k:2\nend\n"
                "function g(a) -> c domain:d overload:o opset:12\nu = f(a, a) k=1\nc = Softmax(u)\nend\ninput x 1 N,2\noutput y 0 -\n"
                "z = g(x) domain:d overload:o\ny, _ = f(z, x) k=0 alpha=0.25\n"},
  {"branches", "input x 1 N,2\ninput c 9 1\noutput y 0 -\noutput z 0 -\nconsti k = 1\nb = Cast(k) to=9\n"
               "y = If(b) then_branch={\noutput t 1 -\nconst w = 2\nt = Add(x, w)\n} else_branch={\noutput e 1 -\ne = Relu(x)\n}\n"
               "z = If(c) then_branch={\noutput t 1 -\nt = Relu(y)\n} else_branch={\noutput y 1 -\n}\n"},
  {"loops", "input x 1 2,3\noutput y 0 -\noutput z 0 -\noutput v 0 -\nconsti n = 2\nconst w 3 = 1 2 3\n"
            "y, z = Loop(n, _, x) body={\ninput i 7 -\ninput c 9 -\ninput a 1 -\noutput c 9 -\noutput b 1 -\noutput s 1 -\n"
            "b = Add(a, w)\ns = Relu(b)\n}\n_, v = Scan(w, x) num_scan_inputs=1 scan_input_axes=[0] scan_output_axes=[-1] "
            "scan_input_directions=[1] body={\ninput a 1 -\ninput r 1 -\noutput b 1 -\noutput b 1 -\nb = Add(a, r)\n}\n"},
  {"sequences", "input x 1 N,4\noutput y 0 -\noutput n 7 -\nconsti k = 1\nconsti two = 2\ns = SplitToSequence(x, two) axis=1\n"
                "a = SequenceAt(s, k)\nt = SequenceInsert(s, a, k)\nu = SequenceErase(t, k)\nn = SequenceLength(u)\n"
                "e = SequenceEmpty() dtype=1\nv = SequenceConstruct(a, a)\nz = ConcatFromSequence(v) axis=1\n"
                "w = ConcatFromSequence(u) axis=1 new_axis=0\ny = Add(z, w)\n"},
  {"sparse", "input x 1 2,3\nsparse w 2,3 = 5 7 at 1 5\noutput y 0 -\ny = Add(x, w)\n"},
  {"order", "input x 1 2\noutput z 1 2\nz = Relu(y)\ny = Relu(x)\ninfo y 1 2\n"},
};

static const char *const texts[][2] = {
  {"all", "graph tiny\ninput x f32 [N,3,8,8]\nconst w f32 [2,3,1,1] = random 7 -0.5 0.5\nconst s f32 [] = splat 0.5\n"
          "const k i64 [2] = {N, -1}\ny = Conv(x, w, _) pads=[0,0,0,0] auto_pad=\"NOTSET\"\n"
          "z = Pointwise(y, s) | Add(@1) | Relu | Clip(0, 6) | ~Sub(@1) # a comment\na, _ = Split(z) axis=1\noutput a\n"},
  {"names", "graph \"a b\"\ninput \"_\" f32 [4]\n\"a\\x0a\\\"\\\\\" = Relu(\"_\")\noutput \"a\\x0a\\\"\\\\\"\n"},
  {"types", "input a f64 []\ninput b u8 [0]\nconst c bool [2] = {0, 1}\nconst d i8 [1] = {-128}\nconst e f32 [3] = {inf, -inf, nan}\n"
            "y = Concat(b) axis=0\noutput y\n"},
};

static void save(const char *folder, const char *corpus, const char *name, const void *data, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, corpus);
  mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/%s/%s", folder, corpus, name);
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) exit(1);
}

static void save_model(const char *folder, const char *name, const char *text) {
  Buffer model = model_of_text(text, 8, 13), wire = {0};
  save(folder, "import", name, model.data, model.size);
  buffer_add(&wire, "\0", 1); /* which message it is */
  buffer_add(&wire, model.data, model.size);
  save(folder, "wire", name, wire.data, wire.size);
  buffer_free(&model);
  buffer_free(&wire);
}

/* Bytes that drive the builder of graphs: any do. */
static void save_drives(const char *folder) {
  uint64_t state = 1;
  for (int i = 0; i < 24; i++) {
    uint8_t bytes[160];
    char name[16];
    for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (uint8_t)random_bits(&state);
    snprintf(name, sizeof name, "%02d", i);
    save(folder, "graph", name, bytes, sizeof bytes);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 1;
  for (size_t i = 0; i < COUNT(models); i++) save_model(argv[1], models[i][0], models[i][1]);
  for (size_t i = 0; i < COUNT(texts); i++) save(argv[1], "text", texts[i][0], texts[i][1], strlen(texts[i][1]));
  save_drives(argv[1]);
  return 0;
}
