/* values_test.c: integers computed from shapes while compiling, and the chains of exporters that are made of them. */
#include "infer_fixture.h"

typedef struct Chain {
  const char *body;
  int n;
  int64_t v[4];
  bool sym[4];
} Chain;

static void expect_chain(const Chain *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  const Value *y = infer(cx, row->body)->output[0];
  if (!y->data != !row->n) fail_msg("%s\n%s", row->body, y->data ? "is known" : "is not known");
  for (int k = 0; k < row->n; k++) {
    if (((const int64_t *)y->data)[k] != row->v[k]) fail_msg("%s\nelement %d", row->body, k);
    if ((y->sym && y->sym[k]) != row->sym[k]) fail_msg("%s\nsymbol of element %d", row->body, k);
  }
  context_free(cx);
}

static void shapes_are_computed_with(void **state) {
  (void)state;
  static const Chain row[] = {
    {"input x f32 [N,3,8,9]\ny = Shape(x)", 4, {1, 3, 8, 9}, {true}},
    {"input x f32 [N,3,8,9]\ny = Shape(x) start=-3 end=3", 2, {3, 8}, {false}},
    {"input x f32 [2N,3]\nconst i i64 [1] = {0}\ns = Shape(x)\na = Gather(s, i)\nconst c i64 [1] = {5}\n"
     "y = Concat(a, c) axis=0", 2, {2, 5}, {true}},
    {"input x f32 [N,3,8]\nconst z i64 [1] = {0}\nconst o i64 [1] = {1}\ns = Shape(x)\na = Slice(s, z, o)\n"
     "b = Cast(a) to=6\nc = Cast(b) to=7\nd = Add(c, c)\ny = Mul(d, s)", 0, {0}, {0}},
    {"input x f32 [6N,3]\nconst two i64 [2] = {2, 1}\ns = Shape(x)\na = Div(s, two)\nb = Add(a, a)\n"
     "y = Sub(b, a)", 2,
     {3, 3}, {true}},
    {"input x f32 [2N,3,5]\na = Size(x)\nconst z i64 [1] = {0}\ny = Unsqueeze(a, z)", 1, {30}, {true}},
    /* any operator, of any type; parts of numbers beside the batch */
    {"input x f32 [N,3]\ns = Shape(x)\nf = Cast(s) to=1\nconst h f32 [2] = {0.5, 1.5}\nc = Concat(f, h) axis=0\n"
     "const i i64 [3] = {3, 0, 2}\nd = Gather(c, i)\nconst k f32 [3] = {2, 2, 2}\ne = Mul(d, k)\ny = Cast(e) to=7", 3,
     {3, 2, 1}, {false, true}},
    {"input x f32 [N,3]\ns = Shape(x)\nt = Cast(s) to=12\nu = Relu(s)\nv = Cast(t) to=7\ny = Add(u, v)", 2, {2, 6}, {true}},
    /* a quotient that differs for a large batch alone */
    {"input x f32 [N,3]\ns = Shape(x)\nconst k i64 [2] = {512, 2}\ny = Div(s, k)", 0, {0}, {0}},
    {"input x f32 [N,3]\ns = Shape(x)\nconst e i64 [2] = {1, 2}\na = Mul(s, e)\ny = Div(s, a)",
     2, {1, 0}, {false}},
    /* in floats, as converters from other frameworks compute; a half of the batch is not whole */
    {"input x f32 [N,6]\ns = Shape(x)\nf = Cast(s) to=1\nconst k f32 [2] = {6, 0.5}\na = Mul(f, k)\nconst h f32 [] = {3}\n"
     "b = Div(a, h)\ny = Cast(b) to=7", 2, {2, 1}, {true, false}},
    {"input x f32 [N,6]\ns = Shape(x)\nf = Cast(s) to=1\nconst k f32 [] = {2}\na = Div(f, k)\nb = Mul(a, k)\ny = Cast(b) to=7",
     0, {0}, {0}},
    {"input x f32 [N,6]\ns = Shape(x)\nf = Cast(s) to=1\nconst k f32 [] = {16777216}\na = Mul(f, k)\ny = Cast(a) to=7", 0, {0}, {0}},
    /* what a large batch divides is 0, a small one's is not */
    {"input x f32 [N,3]\nconst c i64 [2] = {50, 6}\ns = Shape(x)\ny = Div(c, s)", 0, {0}, {0}},
    /* multiples beyond 64 bits */
    {"input x f32 [N,3]\nconst c i64 [1] = {9223372036854775807}\ns = Shape(x) end=1\ny = Concat(s, c) axis=0", 2,
     {1, 9223372036854775807}, {true, false}},
    {"input x f32 [N,3]\nconst c i64 [1] = {9223372036854775807}\ns = Shape(x) end=1\na = Mul(s, c)\ny = Mul(a, a)", 0, {0}, {0}},
    {"input x f32 [N,3]\ns = Shape(x)\nconst e i64 [2] = {2, 2}\na = Div(s, e)\ny = Mul(a, e)", 0, {0}, {0}},
    {"const d i64 [1] = {3}\nconst v i64 [1] = {7}\ny = ConstantOfShape(d) value=&v", 3, {7, 7, 7}, {false}},
  };
  for (size_t i = 0; i < COUNT(row); i++) expect_chain(&row[i]);
}

/* What PyTorch exports for x.view(x.size(0), -1), and for F.pad of a shortcut (option A of the CIFAR
 * networks). */
static void chains_of_exporters_fold(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [N,8,4,4]\nconst i i64 [] = {0}\nconst a i64 [1] = {0}\nconst m i64 [1] = {-1}\n"
     "s = Shape(x)\n"
     "g = Gather(s, i) axis=0\nu = Unsqueeze(g, a)\nc = Concat(u, m) axis=0\n"
     "y = Reshape(x, c)", "f32 [N,128]"},
    {"input x f32 [N,8,4,4]\nconst p i64 [6] = {0, 0, 0, 0, 2, 2}\nconst two i64 [1] = {2}\n"
     "const zero i64 [1] = {0}\n"
     "z = ConstantOfShape(two) value=&zero\nc = Concat(p, z) axis=0\nconst r i64 [2] = {-1, 2}\n"
     "q = Reshape(c, r)\n"
     "const s i64 [1] = {-1}\nconst e i64 [1] = {-9223372036854775807}\nf = Slice(q, s, e, zero, s)\n"
     "t = Transpose(f) perm=[1,0]\nl = Reshape(t, s)\nk = Cast(l) to=7\ny = Pad(x, k)", "f32 [N,12,4,4]"},
  };
  EXPECT_SHAPES(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(shapes_are_computed_with),
    cmocka_unit_test(chains_of_exporters_fold),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
