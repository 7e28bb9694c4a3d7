/* attr.c: of what kind the value of each attribute is, by name. Most have the same kind in every operator and version; a row of
 * one operator stands before that of all. */
#include "graph.h"

#include <string.h>

static const struct Row {
  const char *name;
  AttrKind kind;
  Op op;                 /* OP_NONE: any */
} rows[] = {
  {"activation", A_STRING, OP_NONE},
  {"activation_alpha", A_FLOAT, OP_NONE},
  {"activation_beta", A_FLOAT, OP_NONE},
  {"activation_gamma", A_FLOAT, OP_NONE},
  {"activation_params", A_FLOATS, OP_NONE},
  {"allowzero", A_INT, OP_NONE},
  {"alpha", A_FLOAT, OP_NONE},
  {"antialias", A_INT, OP_NONE},
  {"approximate", A_STRING, OP_NONE},
  {"auto_pad", A_STRING, OP_NONE},
  {"axes", A_INTS, OP_NONE},
  {"axis", A_INT, OP_NONE},
  {"batch_axis", A_INT, OP_NONE},
  {"batch_dims", A_INT, OP_NONE},
  {"beta", A_FLOAT, OP_NONE},
  {"bias", A_FLOAT, OP_NONE},
  {"block_size", A_INT, OP_NONE},
  {"blocksize", A_INT, OP_NONE},
  {"broadcast", A_INT, OP_NONE},
  {"ceil_mode", A_INT, OP_NONE},
  {"centered", A_INT, OP_NONE},
  {"channels", A_INT, OP_NONE},
  {"channels_last", A_INT, OP_NONE},
  {"consumed_inputs", A_INTS, OP_NONE},
  {"coordinate_transformation_mode", A_STRING, OP_NONE},
  {"count_include_pad", A_INT, OP_NONE},
  {"cubic_coeff_a", A_FLOAT, OP_NONE},
  {"depth", A_INTS, OP_NONE},
  {"detect_negative", A_INT, OP_NONE},
  {"detect_positive", A_INT, OP_NONE},
  {"dilations", A_INTS, OP_NONE},
  {"direction", A_STRING, OP_NONE},
  {"divisor", A_STRING, OP_NONE},
  {"dtype", A_INT, OP_NONE},
  {"end", A_INT, OP_NONE},
  {"ends", A_INTS, OP_NONE},
  {"epsilon", A_FLOAT, OP_NONE},
  {"equation", A_STRING, OP_NONE},
  {"exclude_outside", A_INT, OP_NONE},
  {"exclusive", A_INT, OP_NONE},
  {"extrapolation_value", A_FLOAT, OP_NONE},
  {"fmod", A_INT, OP_NONE},
  {"gamma", A_FLOAT, OP_NONE},
  {"group", A_INT, OP_NONE},
  {"is_causal", A_INT, OP_NONE},
  {"is_test", A_INT, OP_NONE},
  {"k", A_INT, OP_NONE},
  {"keep_aspect_ratio_policy", A_STRING, OP_NONE},
  {"keepdims", A_INT, OP_NONE},
  {"kernel_shape", A_INTS, OP_NONE},
  {"kv_num_heads", A_INT, OP_NONE},
  {"lambd", A_FLOAT, OP_NONE},
  {"largest", A_INT, OP_NONE},
  {"max", A_FLOAT, OP_NONE},
  {"min", A_FLOAT, OP_NONE},
  {"mode", A_STRING, OP_NONE},
  {"momentum", A_FLOAT, OP_NONE},
  {"nearest_mode", A_STRING, OP_NONE},
  {"new_axis", A_INT, OP_NONE},
  {"noop_with_empty_axes", A_INT, OP_NONE},
  {"num_groups", A_INT, OP_NONE},
  {"num_outputs", A_INT, OP_NONE},
  {"num_scan_inputs", A_INT, OP_NONE},
  {"opset", A_INT, OP_NONE},
  {"output_dtype", A_INT, OP_NONE},
  {"output_padding", A_INTS, OP_NONE},
  {"output_shape", A_INTS, OP_NONE},
  {"p", A_INT, OP_NONE},
  {"pads", A_INTS, OP_NONE},
  {"perm", A_INTS, OP_NONE},
  {"precision", A_INT, OP_NONE},
  {"q_num_heads", A_INT, OP_NONE},
  {"qk_matmul_output_mode", A_INT, OP_NONE},
  {"ratio", A_FLOAT, OP_NONE},
  {"reduction", A_STRING, OP_NONE},
  {"repeats", A_INTS, OP_NONE},
  {"reverse", A_INT, OP_NONE},
  {"round_mode", A_STRING, OP_NONE},
  {"saturate", A_INT, OP_NONE},
  {"scale", A_FLOAT, OP_NONE},
  {"scales", A_INTS, OP_NchwcUpsample},
  {"scales", A_FLOATS, OP_NONE},
  {"scan_input_axes", A_INTS, OP_NONE},
  {"scan_input_directions", A_INTS, OP_NONE},
  {"scan_output_axes", A_INTS, OP_NONE},
  {"scan_output_directions", A_INTS, OP_NONE},
  {"seed", A_INT, OP_Dropout},
  {"select_last_index", A_INT, OP_NONE},
  {"size", A_INT, OP_NONE},
  {"softcap", A_FLOAT, OP_NONE},
  {"softmax_precision", A_INT, OP_NONE},
  {"sorted", A_INT, OP_NONE},
  {"spatial", A_INT, OP_NONE},
  {"split", A_INTS, OP_NONE},
  {"start", A_INT, OP_NONE},
  {"starts", A_INTS, OP_NONE},
  {"stash_type", A_INT, OP_NONE},
  {"storage_order", A_INT, OP_NONE},
  {"strides", A_INTS, OP_NONE},
  {"time_axis", A_INT, OP_NONE},
  {"to", A_INT, OP_NONE},
  {"training_mode", A_INT, OP_NONE},
  {"transA", A_INT, OP_NONE},
  {"transB", A_INT, OP_NONE},
  {"transBatchA", A_INT, OP_NONE},
  {"transBatchB", A_INT, OP_NONE},
  {"upper", A_INT, OP_NONE},
  {"value", A_FLOAT, OP_Pad},
  {"value", A_TENSOR, OP_NONE},
  {"value_float", A_FLOAT, OP_NONE},
  {"value_floats", A_FLOATS, OP_NONE},
  {"value_int", A_INT, OP_NONE},
  {"value_ints", A_INTS, OP_NONE},
};

bool attr_expected(Op op, const char *name, AttrKind *kind) {
  for (size_t i = 0; i < COUNT(rows); i++) {
    if (strcmp(rows[i].name, name) != 0 || (rows[i].op != OP_NONE && rows[i].op != op)) continue;
    *kind = rows[i].kind;
    return true;
  }
  return false;
}

const char *attr_kind_name(AttrKind kind) {
  static const char *const names[] = {
    [A_INT] = "an integer", [A_FLOAT] = "a float", [A_INTS] = "a list of integers", [A_FLOATS] = "a list of floats",
    [A_STRING] = "a string", [A_TENSOR] = "a tensor",
  };
  return names[kind];
}

/* ==== of a node ==== */

const Attr *attr_find(const Node *n, const char *name) {
  for (int i = 0; i < n->n_attr; i++)
    if (strcmp(n->attr[i].name, name) == 0) return &n->attr[i];
  return NULL;
}

int64_t attr_int(const Node *n, const char *name, int64_t otherwise) {
  const Attr *a = attr_find(n, name);
  return a && a->kind == A_INT ? a->i : otherwise;
}

float attr_float(const Node *n, const char *name, float otherwise) {
  const Attr *a = attr_find(n, name);
  return a && a->kind == A_FLOAT ? a->f : otherwise;
}

const char *attr_string(const Node *n, const char *name, const char *otherwise) {
  const Attr *a = attr_find(n, name);
  return a && a->kind == A_STRING ? a->s : otherwise;
}

static void attr_set(Graph *g, Node *n, Attr a) {
  attr_remove(n, a.name);
  n->attr = alloc_extended(g->cx, n->attr, n->n_attr, sizeof *n->attr);
  n->attr[n->n_attr++] = a;
}

void attr_copy(Graph *g, Node *to, const Node *from) {
  to->attr = alloc_extended(g->cx, from->attr, from->n_attr, sizeof *to->attr);
  to->n_attr = from->n_attr;
}

void attr_set_int(Graph *g, Node *n, const char *name, int64_t v) {
  attr_set(g, n, (Attr){.name = name, .kind = A_INT, .i = v});
}

void attr_set_float(Graph *g, Node *n, const char *name, float v) {
  attr_set(g, n, (Attr){.name = name, .kind = A_FLOAT, .f = v});
}

void attr_set_ints(Graph *g, Node *n, const char *name, int count, const int64_t *v) {
  int64_t *copy = alloc_n(g->cx, (size_t)count, sizeof *copy);
  move_bytes(copy, v, (size_t)count * sizeof *copy);
  attr_set(g, n, (Attr){.name = name, .kind = A_INTS, .n = count, .ints = copy});
}

void attr_set_string(Graph *g, Node *n, const char *name, const char *s) {
  attr_set(g, n, (Attr){.name = name, .kind = A_STRING, .s = s});
}

void attr_remove(Node *n, const char *name) {
  const Attr *a = attr_find(n, name);
  if (!a) return;
  int at = (int)(a - n->attr);
  move_bytes(n->attr + at, n->attr + at + 1, (size_t)(n->n_attr - at - 1) * sizeof *n->attr);
  n->n_attr--;
}
