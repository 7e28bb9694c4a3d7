/* upgrade.c: operators as older operator sets defined them, rewritten as the newest defines them,
 * so that nothing behind import knows more than one form. What changed when: the changelog of ONNX's
 * operators. */
#include "onnx.pb-c.h"
#include "import.h"
#include "ops.h"

#include <string.h>

static Value *output_of(Graph *g, Node *n, const char *suffix) {
  return made_result(g, n, 0, format_text(g->cx, "%s.%s", n->name, suffix));
}

static void define_output(Node *n, Value *v) {
  n->out[0] = v;
  v->def = n;
}

/* A result that exists in training only: it stays undefined, so that a reader is refused. */
static void drop_output(Node *n, int at) {
  if (at < n->n_out && n->out[at]) n->out[at]->def = NULL;
}

/* ---- attributes that became inputs: those that are numbers of the type of another input, which is not known yet, do so in
 * shape inference ---- */

static void set_input(Graph *g, Node *n, int at, Value *v) {
  while (n->n_in <= at) node_add_input(g, n, NULL);
  node_set_input(g, n, at, v);
}

static void ints_to_input(Graph *g, Node *n, const char *name, int at) {
  const Attr *a = attr_find(n, name);
  if (!a) return;
  if (a->kind != A_INTS) fail_at(g, n, "attribute %s is not a list of integers", name);
  set_input(g, n, at, value_const_i64(g, format_text(g->cx, "%s.%s", n->name, name), a->n, a->ints));
  attr_remove(n, name);
}

static void upgrade_axes(Graph *g, Node *n) {
  ints_to_input(g, n, "axes", 1);
}

static void upgrade_topk(Graph *g, Node *n) {
  if (!attr_find(n, "k")) fail_at(g, n, "attribute k is missing");
  int64_t k = attr_int(n, "k", 0);
  set_input(g, n, 1, value_const_i64(g, format_text(g->cx, "%s.k", n->name), 1, &k));
  attr_remove(n, "k");
}

static void upgrade_slice(Graph *g, Node *n) {
  ints_to_input(g, n, "starts", 1);
  ints_to_input(g, n, "ends", 2);
  ints_to_input(g, n, "axes", 3);
}

static void upgrade_pad(Graph *g, Node *n) {
  ints_to_input(g, n, "pads", 1);
}

static void upgrade_split_sizes(Graph *g, Node *n) {
  ints_to_input(g, n, "split", 1);
}

/* Without sizes the number of equal parts was the number of outputs. */
static void upgrade_split_count(Graph *g, Node *n) {
  if (n->n_in < 2 || !n->in[1]) attr_set_int(g, n, "num_outputs", n->n_out);
}

/* ---- broadcasting before operator set 7 ---- */

/* n reads its second input with `count` dimensions of 1 behind the others. */
static void unsqueeze_second(Graph *g, Node *n, int count) {
  Value *v = n->in[1];
  int64_t axes[MAX_RANK];
  for (int i = 0; i < count; i++) axes[i] = v->shape.rank + i;
  Value *in[] = {v, value_const_i64(g, format_text(g->cx, "%s.axes", n->name), count, axes)};
  Node *unsqueeze = node_insert(g, g->n_node - 1, OP_Unsqueeze, n->name, 2, in, 1);
  node_set_input(g, n, 1, output_of(g, unsqueeze, "unsqueezed"));
}

/* The dimensions of the second operand began at dimension `axis` of the first. */
static void upgrade_broadcast(Graph *g, Node *n) {
  int64_t axis = attr_int(n, "axis", INT64_MIN);
  attr_remove(n, "axis");
  attr_remove(n, "broadcast");
  if (axis == INT64_MIN || n->n_in < 2 || !n->in[1]) return;
  int a = n->in[0]->shape.rank, b = n->in[1]->shape.rank;
  if (a < 0 || b < 0) fail_at(g, n, "the attribute axis is supported for inputs of known shape only");
  if (axis < 0) axis += a;
  if (axis < 0 || axis + b > a) fail_at(g, n, "the attribute axis is out of range");
  if (a - axis - b > 0) unsqueeze_second(g, n, (int)(a - axis - b));
}

/* A list of slopes was one for each channel. */
static void upgrade_prelu(Graph *g, Node *n) {
  if (n->n_in < 2 || !n->in[1]) return;
  const Shape *x = &n->in[0]->shape, *slope = &n->in[1]->shape;
  if (slope->rank != 1 || slope->d[0] == 1) return;
  if (x->rank < 0) fail_at(g, n, "slopes by channel are supported for an input of known shape only");
  if (x->rank > 2) unsqueeze_second(g, n, x->rank - 2);
}

/* ---- operators that became others ---- */

/* Before set 13 the tensor was seen as a matrix, the dimensions before `axis` by those from it on. */
static void upgrade_softmax(Graph *g, Node *n) {
  int64_t axis = attr_int(n, "axis", 1);
  attr_set_int(g, n, "axis", -1);
  if (axis == -1) return;
  Value *x = n->in[0], *y = n->out[0];
  Node *flatten = node_insert(g, g->n_node - 1, OP_Flatten, n->name, 1, &x, 1);
  attr_set_int(g, flatten, "axis", axis);
  node_set_input(g, n, 0, output_of(g, flatten, "matrix"));
  Node *shape = node_new(g, OP_Shape, n->name, 1, &x, 1);
  Value *in[] = {output_of(g, n, "softmax"), output_of(g, shape, "shape")};
  define_output(node_new(g, OP_Reshape, n->name, 2, in, 1), y);
}

static void upgrade_scatter(Graph *g, Node *n) {
  (void)g;
  n->op = OP_ScatterElements;
}

/* Before set 7 both kinds of node carried this flag. */
static void upgrade_is_test(Graph *g, Node *n) {
  if (attr_int(n, "is_test", 0) == 0) fail_training(g, n);
}

/* Before set 14 the other outputs, those that exist in training only, said that this is training; numbers 3 and 4 were for gradients. */
static void upgrade_batch_norm(Graph *g, Node *n) {
  if (attr_int(n, "spatial", 1) == 0) fail_at(g, n, "statistics per element (spatial=0) are not supported");
  for (int i = 1; i < n->n_out && g->opset < 14; i++)
    if (n->out[i]) attr_set_int(g, n, "training_mode", 1);
  int kept = attr_int(n, "training_mode", 0) ? 3 : 1;
  if (kept > 1) n->op = OP_BatchNormalizationInTraining;
  for (int i = kept; i < n->n_out; i++) drop_output(n, i);
  if (n->n_out > kept) n->n_out = kept;
}

static void check_dropout_is_off(Graph *g, const Node *n) {
  if (n->n_in < 3 || !n->in[2]) return;
  const Value *training = n->in[2];
  if (!training->data || training->type != T_BOOL || shape_count(&training->shape) != 1)
    fail_at(g, n, "training_mode must be a constant");
  float ratio;
  bool drops = !(const_scalar(n->in[1], &ratio) && ratio == 0);
  if (*(const bool *)training->data && drops) fail_training(g, n);
}

/* At inference every element is kept; before set 12, which says so, ONNX Runtime's mask is empty. */
static void make_mask(Graph *g, const Node *n, Value *mask) {
  Node *shape = node_new(g, OP_Shape, n->name, 1, n->in, 1);
  Value *sizes = output_of(g, shape, "shape");
  Node *fill = node_new(g, OP_ConstantOfShape, n->name, 1, &sizes, 1);
  static const bool all = true, none = false;
  const char *name = format_text(g->cx, "%s.kept", n->name);
  Value *value = value_const(g, name, T_BOOL, shape_of(1, (int64_t)1), g->opset < 12 ? &none : &all);
  fill->attr = alloc(g->cx, sizeof *fill->attr);
  fill->attr[fill->n_attr++] = (Attr){.name = "value", .kind = A_TENSOR, .tensor = value};
  define_output(fill, mask);
}

/* Before set 10 the mask was not to be read at inference. */
static void upgrade_dropout(Graph *g, Node *n) {
  check_dropout_is_off(g, n);
  Value *mask = n->n_out == 2 ? n->out[1] : NULL;
  if (mask && g->opset < 10) drop_output(n, 1);
  n->op = OP_Identity;
  n->n_in = n->n_out = 1;
  n->n_attr = 0;
  if (mask && g->opset >= 10) make_mask(g, n, mask);
}

/* x0 op x1 op x2 ...: n becomes the first of these, or the identity. Returns the last. */
static Node *make_chain(Graph *g, Node *n, Op op) {
  for (int i = 0; i < n->n_in; i++)
    if (!n->in[i]) fail_at(g, n, "input %d is missing", i);
  Value *y = n->out[0], **x = n->in;
  int terms = n->n_in;
  n->op = terms == 1 ? OP_Identity : op;
  n->n_in = terms == 1 ? 1 : 2;
  for (int i = 2; i < terms; i++) {
    Value *in[] = {output_of(g, n, "sum"), x[i]};
    n = node_new(g, op, n->name, 2, in, 1);
  }
  define_output(n, y);
  return n;
}

static void upgrade_sum(Graph *g, Node *n) { make_chain(g, n, OP_Add); }
static void upgrade_min(Graph *g, Node *n) { make_chain(g, n, OP_Min); }
static void upgrade_max(Graph *g, Node *n) { make_chain(g, n, OP_Max); }

/* The sum over the number of terms, of a type that is not known yet. */
static void upgrade_mean(Graph *g, Node *n) {
  Value *y = n->out[0], *x = n->in[0], *count = value_const_f32(g, format_text(g->cx, "%s.terms", n->name), shape_of(0));
  f32_of(count)[0] = (float)n->n_in;
  Node *sum = make_chain(g, n, OP_Add), *cast = node_new(g, OP_CastLike, n->name, 2, (Value *[]){count, x}, 1);
  Value *in[] = {output_of(g, sum, "sum"), output_of(g, cast, "divisor")};
  define_output(node_new(g, OP_Div, n->name, 2, in, 1), y);
}

/* ---- activations ---- */

/* n reads x + bias instead of the two. */
static void add_bias(Graph *g, Node *n) {
  if (n->n_in < 2 || !n->in[1]) return;
  Node *add = node_insert(g, g->n_node - 1, OP_Add, n->name, 2, n->in, 1);
  node_set_inputs(g, n, 1, (Value *[]){output_of(g, add, "biased")});
}

static void upgrade_bias_gelu(Graph *g, Node *n) {
  add_bias(g, n);
  n->op = OP_Gelu;
}

static void upgrade_gelu(Graph *g, Node *n) {
  const char *approximate = attr_string(n, "approximate", "none");
  if (strcmp(approximate, "tanh") == 0) n->op = OP_FastGelu;
  else if (strcmp(approximate, "none") != 0) fail_at(g, n, "approximate is none or tanh, not \"%s\"", approximate);
  attr_remove(n, "approximate");
}

static void upgrade_quick_gelu(Graph *g, Node *n) {
  float alpha = attr_float(n, "alpha", 1.702f);
  n->op = OP_Swish;
  attr_set_float(g, n, "alpha", alpha);
}

/* ---- Resize ---- */

/* Before set 11 there were no other coordinates, and rounding was not told: down, but up where the map shrinks. */
static void set_old_coordinates(Graph *g, Node *n) {
  attr_set_string(g, n, "coordinate_transformation_mode", "asymmetric");
  attr_set_string(g, n, "nearest_mode", "floor_or_ceil_by_scale");
}

static void upgrade_resize(Graph *g, Node *n) {
  Value *scales = n->n_in > 1 ? n->in[1] : NULL;
  set_input(g, n, 2, scales);
  set_input(g, n, 1, NULL);
  set_old_coordinates(g, n);
}

static void upgrade_upsample(Graph *g, Node *n) {
  const Attr *a = attr_find(n, "scales");
  n->op = OP_Resize;
  if (strcmp(attr_string(n, "mode", "nearest"), "bilinear") == 0) attr_set_string(g, n, "mode", "linear");
  if (a && a->kind == A_FLOATS) {
    Value *scales = value_const_f32(g, format_text(g->cx, "%s.scales", n->name), shape_of(1, (int64_t)a->n));
    move_bytes(f32_of(scales), a->floats, (size_t)a->n * sizeof *a->floats);
    set_input(g, n, 1, scales);
  }
  attr_remove(n, "scales");
  upgrade_resize(g, n);
}

/* ---- what happened before which operator set; rows of one operator apply in turn ---- */

enum { EVER = 1 << 30 };

static const struct Upgrade {
  Op op;
  int before;
  void (*apply)(Graph *g, Node *n);
} upgrade_list[] = {
  {OP_Add, 7, upgrade_broadcast},
  {OP_Sub, 7, upgrade_broadcast},
  {OP_Mul, 7, upgrade_broadcast},
  {OP_Div, 7, upgrade_broadcast},
  {OP_Pow, 7, upgrade_broadcast},
  {OP_And, 7, upgrade_broadcast},
  {OP_Or, 7, upgrade_broadcast},
  {OP_Xor, 7, upgrade_broadcast},
  {OP_Equal, 7, upgrade_broadcast},
  {OP_Less, 7, upgrade_broadcast},
  {OP_Greater, 7, upgrade_broadcast},
  {OP_PRelu, 7, upgrade_prelu},
  {OP_BatchNormalization, 7, upgrade_is_test},
  {OP_Dropout, 7, upgrade_is_test},
  {OP_Squeeze, 13, upgrade_axes},
  {OP_Unsqueeze, 13, upgrade_axes},
  {OP_ReduceSum, 13, upgrade_axes},
  {OP_ReduceMean, 18, upgrade_axes},
  {OP_ReduceProd, 18, upgrade_axes},
  {OP_ReduceMax, 18, upgrade_axes},
  {OP_ReduceMin, 18, upgrade_axes},
  {OP_ReduceL1, 18, upgrade_axes},
  {OP_ReduceL2, 18, upgrade_axes},
  {OP_ReduceSumSquare, 18, upgrade_axes},
  {OP_ReduceLogSum, 18, upgrade_axes},
  {OP_ReduceLogSumExp, 18, upgrade_axes},
  {OP_TopK, 10, upgrade_topk},
  {OP_Slice, 10, upgrade_slice},
  {OP_Pad, 11, upgrade_pad},
  {OP_Split, 13, upgrade_split_sizes},
  {OP_Split, 18, upgrade_split_count},
  {OP_Softmax, 13, upgrade_softmax},
  {OP_LogSoftmax, 13, upgrade_softmax},
  {OP_Hardmax, 13, upgrade_softmax},
  {OP_BatchNormalization, EVER, upgrade_batch_norm},
  {OP_Dropout, EVER, upgrade_dropout},
  {OP_Scatter, EVER, upgrade_scatter},
  {OP_Sum, EVER, upgrade_sum},
  {OP_Resize, 11, upgrade_resize},
  {OP_Upsample, EVER, upgrade_upsample},
  {OP_Mean, EVER, upgrade_mean},
  {OP_Min, EVER, upgrade_min},
  {OP_Max, EVER, upgrade_max},
  {OP_BiasGelu, EVER, upgrade_bias_gelu},
  {OP_FastGelu, EVER, add_bias},
  {OP_Gelu, EVER, upgrade_gelu},
  {OP_QuickGelu, EVER, upgrade_quick_gelu},
};

void upgrade_node(Graph *g, Node *n) {
  Op op = n->op;
  for (size_t i = 0; i < COUNT(upgrade_list); i++)
    if (upgrade_list[i].op == op && g->opset < upgrade_list[i].before) upgrade_list[i].apply(g, n);
}
