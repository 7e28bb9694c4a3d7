/* batch_test.c: where the batch moves, the images computed one by one are those of the batch; what mixes them
 * is refused. */
#include "fixture.h"

enum { IMAGES = 3 };

/* The graph of the text with the batch as a number, or as one image of a symbolic batch. */
static Graph *graph_of(Context *cx, const char *text, bool one_image) {
  char *copy = copy_text(cx, text);
  if (!one_image)
    for (char *p = copy; (p = strchr(p, 'N')); p++) *p = '0' + IMAGES;
  Graph *g = text_parse(cx, NULL, copy);
  pass_shape(g);
  pass_fold(g);
  if (one_image) pass_batch(g);
  verify(g, "batch");
  return g;
}

static void check_image(Graph *image, void *const *expected, const void *const *in, int number) {
  const void **part = alloc_n(image->cx, (size_t)image->n_input, sizeof *part);
  for (int i = 0; i < image->n_input; i++) {
    bool batched = image->input_shape[i].rank && image->input_shape[i].d[0] < 0;
    part[i] = (const char *)in[i] + (batched ? (size_t)number * value_bytes(image->input[i]) : 0);
  }
  void **out = evaluated(image, part);
  for (int i = 0; i < image->n_output; i++) {
    bool batched = image->output_shape[i].d[0] < 0;
    size_t bytes = value_bytes(image->output[i]);
    if (memcmp(out[i], (char *)expected[i] + (batched ? (size_t)number * bytes : 0), bytes) != 0)
      fail_msg("image %d of %s differs", number, image->output[i]->name);
  }
}

static void images_are_those_of_the_batch(void **state) {
  (void)state;
  static const char *const texts[] = {
    /* in front of it, and back */
    "input x f32 [N,4]\nt = Transpose(x) perm=[1,0]\nr = Relu(t)\ny = Transpose(r) perm=[1,0]\noutput y\n",
    "input x f32 [N,4]\nconst a i64 [1] = {0}\nu = Unsqueeze(x, a)\nr = Relu(u)\ny = Squeeze(r, a)\n"
    "output y\n",
    "input x f32 [N,4]\nconst s i64 [3] = {1, -1, 4}\nu = Reshape(x, s)\nr = Tanh(u)\n"
    "const t i64 [2] = {-1, 4}\ny = Reshape(r, t)\noutput y\n",
    /* attention's queries, keys and values: [N,L,3,D] -> [3,N,L,D], of which one is taken */
    "input x f32 [N,2,6]\nconst s i64 [4] = {0, 0, 3, 2}\nr = Reshape(x, s)\n"
    "t = Transpose(r) perm=[2,0,1,3]\n"
    "const k i64 [] = {0}\n"
    "const l i64 [] = {1}\nq = Gather(t, k) axis=0\nv = Gather(t, l) axis=0\ny = Add(q, v)\noutput y\n",
    "input x f32 [N,2,6]\nconst s i64 [4] = {0, 0, 3, 2}\nr = Reshape(x, s)\n"
    "t = Transpose(r) perm=[2,0,1,3]\n"
    "const a i64 [1] = {0}\n"
    "b, c, d = Split(t) axis=0 num_outputs=3\ny = Squeeze(c, a)\noutput y\n",
    /* frames in the batch, and back; the time in front */
    "input x f32 [N,3,2,2]\nconst s i64 [3] = {-1, 2, 2}\nf = Reshape(x, s)\nr = Softmax(f) axis=2\n"
    "const t i64 [4] = {-1, 3, 2, 2}\n"
    "y = Reshape(r, t)\noutput y\n",
    "input x f32 [N,3,4]\nt = Transpose(x) perm=[1,0,2]\nconst s i64 [2] = {-1, 4}\nf = Reshape(t, s)\n"
    "const w f32 [4,2] = random 1 -1 1\n"
    "m = MatMul(f, w)\nconst b i64 [3] = {3, -1, 2}\nu = Reshape(m, b)\ny = Transpose(u) perm=[1,0,2]\n"
    "output y\n",
    /* batches of matrices, from either side */
    "input x f32 [N,4]\nconst w f32 [3,4,2] = random 1 -1 1\nm = MatMul(x, w)\n"
    "y = Transpose(m) perm=[1,0,2]\n"
    "output y\n",
    "input x f32 [N,4,2]\nconst v f32 [4] = {1, 2, 3, 4}\ny = MatMul(v, x)\noutput y\n",
    "input x f32 [N,4]\nt = Transpose(x)\nconst w f32 [2,4] = random 1 -1 1\nm = MatMul(w, t)\n"
    "y = Transpose(m)\noutput y\n",
    /* along other axes */
    "input x f32 [N,4]\nt = Transpose(x)\nconst a i64 [1] = {0}\nm = ReduceMean(t, a) keepdims=0\noutput m\n",
    "input x f32 [N,4]\nt = Transpose(x)\ns = Softmax(t) axis=0\nc = Concat(s, t) axis=0\ny = Transpose(c)\n"
    "output y\n",
    "input x f32 [N,4]\nt = Transpose(x)\nconst b i64 [1] = {1}\nconst e i64 [1] = {3}\n"
    "const a i64 [1] = {0}\ns = Slice(t, b, e, a)\n"
    "y = Transpose(s)\noutput y\n",
    "input x f32 [N,2,3,3]\nconst k f32 [4,2,3,3] = random 2 -1 1\nc = Conv(x, k)\nf = Flatten(c) axis=1\n"
    "output f\n",
    "input x f32 [N,4]\nconst k f32 [4,1] = random 2 -1 1\nt = Transpose(x)\nu = Mul(t, k)\n"
    "y = Transpose(u)\n"
    "output y\n",
  };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(texts); i++) {
    Graph *whole = graph_of(cx, texts[i], false), *image = graph_of(cx, texts[i], true);
    const void **in = random_inputs(whole);
    void **expected = evaluated(whole, in);
    for (int k = 0; k < IMAGES; k++) check_image(image, expected, in, k);
  }
  context_free(cx);
}

#define FIX "; fix the batch with --batch N"

static void images_that_meet_are_refused(void **state) {
  (void)state;
  static const struct { const char *text, *error; } bad[] = {
    {"input x f32 [N,4]\nconst s i64 [2] = {4, -1}\ny = Reshape(x, s)\nt = Transpose(y)\noutput t\n",
     "test: node \"y\" (Reshape): mixes the images of a batch" FIX},
    {"input x f32 [N,4]\nt = Transpose(x)\nconst s i64 [2] = {-1, 4}\ny = Reshape(t, s)\noutput y\n",
     "test: node \"y\" (Reshape): mixes the images of a batch" FIX},
    {"input x f32 [N,4]\nt = Transpose(x)\ns = Softmax(t) axis=1\ny = Transpose(s)\noutput y\n",
     "test: node \"s\" (Softmax): works along the batch axis" FIX},
    {"input x f32 [N,4]\nt = Transpose(x)\nc = Concat(t, t) axis=1\ny = Transpose(c)\n"
     "const s i64 [2] = {-1,8}\nz = Reshape(y, s)\noutput z\n",
     "test: node \"c\" (Concat): joins batches" FIX},
    {"input x f32 [N,4]\nconst a i64 [1] = {1}\nconst b i64 [1] = {0}\nu = Unsqueeze(x, a)\n"
     "v = Unsqueeze(x, b)\nw = Add(u, v)\n"
     "m = Relu(w)\noutput m\n",
     "test: output \"m\" has the shape [N,N,4], in which the batch is not the first dimension; fix it with "
     "--batch N"},
    /* [N,2] flat, and [2,N] flat: the same shape [2N], the images in another order */
    {"input x f32 [N,2]\nt = Transpose(x)\nconst s i64 [1] = {-1}\na = Reshape(x, s)\nb = Reshape(t, s)\n"
     "c = Add(a, b)\n"
     "const r i64 [2] = {-1, 2}\ny = Reshape(c, r)\noutput y\n",
     "test: node \"c\" (Add): meets images in different orders" FIX},
    {"input x f32 [N,2,4,4]\nt = Transpose(x) perm=[1,0,2,3]\ny = GlobalAveragePool(t)\n"
     "z = Transpose(y) perm=[1,0,2,3]\noutput z\n",
     "test: node \"y\" (GlobalAveragePool): takes the batch as its first axis only" FIX},
  };
  Context *cx = context_new();
  for (size_t i = 0; i < COUNT(bad); i++) EXPECT_FAIL(cx, graph_of(cx, bad[i].text, true), bad[i].error);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(images_are_those_of_the_batch),
    cmocka_unit_test(images_that_meet_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
