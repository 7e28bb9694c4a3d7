/* blocks.c: the domain com.microsoft.nchwc: tensors [N,C,H,W] whose channels lie in blocks, which is a matter
 * of layout alone here. ONNX Runtime's optimizer has blocks of 8 or of 16 channels, as the CPU is on which it
 * runs, and does not say which. */
#include "ops.h"

#include <string.h>

/* ---- how large a block is ---- */

/* Results of elementwise operators may be in blocks as well. */
static bool is_in_blocks(const Value *v) {
  const Node *n = v->def;
  return n && n->op != OP_NchwcReorderOutput &&
         strcmp(op_info[n->op].domain, op_info[OP_NchwcConv].domain) == 0;
}

static bool all_zero(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (x[i] != 0) return false;
  return true;
}

/* Of the last block of 16 outputs, the second half is there only to fill it, and the first is not. */
static bool ends_in_filling(const Node *conv, int64_t outputs, int64_t weights) {
  const float *w = f32_data(conv->in[1]), *bias = has_input(conv, 2) ? f32_data(conv->in[2]) : NULL;
  bool used = false;
  if (outputs % 16 || weights < 2 || !w) return false; /* of one weight each, the order is the same with 8 */
  if (has_input(conv, 2) && (!bias || shape_count(&conv->in[2]->shape) != outputs ||
                             !all_zero(bias + outputs - 8, 8))) return false;
  for (const float *last = w + (outputs - 16) * weights,
       *end = w + outputs * weights; last < end; last += 16) {
    if (!all_zero(last + 8, 8)) return false;
    used |= !all_zero(last, 8);
  }
  return used;
}

/* 0: the convolution can be one of either size. */
static int64_t block_of_conv(const Node *conv) {
  const Shape *w = &conv->in[1]->shape;
  if (w->rank != 4) return 0;
  int64_t outputs = w->d[0], inputs = w->d[1];
  if (outputs % 16 || (inputs > 16 && inputs % 16)) return 8;
  if (inputs == 8 && is_in_blocks(conv->in[0])) return 8;
  /* fewer than a block are in none */
  if ((inputs > 8 && inputs < 16) || (inputs == 8 && !conv->in[0]->def)) return 16;
  return ends_in_filling(conv, outputs, inputs * w->d[2] * w->d[3]) ? 16 : 0;
}

/* Half a block of 16 or more that a convolution has only to fill it. */
static int64_t block_of_output(const Node *reorder) {
  const Node *conv = has_input(reorder, 0) ? reorder->in[0]->def : NULL;
  int64_t channels = attr_int(reorder, "channels", 0);
  if (!conv || conv->op != OP_NchwcConv || !has_input(conv, 1) || channels < 1) return 0;
  const Shape *w = &conv->in[1]->shape;
  return w->rank == 4 && w->d[0] >= 8 && channels <= w->d[0] - 8 ? 16 : 0;
}

static int64_t block_of_node(const Node *n) {
  if (n->op == OP_NchwcConv) return has_input(n, 0) && has_input(n, 1) ? block_of_conv(n) : 0;
  return n->op == OP_NchwcReorderOutput ? block_of_output(n) : 0;
}

/* What the whole model shows: weights that are no multiple of 16 exclude 16, others may show it. */
static int64_t block_of_model(const Graph *g) {
  int64_t block = 0;
  for (int i = 0; i < g->n_value && block != 8; i++) {
    int64_t b = g->value[i]->def ? block_of_node(g->value[i]->def) : 0;
    if (b) block = b;
  }
  return block;
}

static int64_t nchwc_block(Graph *g, const Node *n) {
  static const int64_t given[] = {[NCHWC_8] = 8, [NCHWC_16] = 16};
  if (g->opt && g->opt->nchwc_block != NCHWC_AUTO) return given[g->opt->nchwc_block];
  /* Once, before the first of them becomes others. */
  if (!g->nchwc_block) g->nchwc_block = block_of_model(g);
  if (!g->nchwc_block)
    fail_at(g, n, "the model does not show whether its channels are in blocks of 8 (AVX2) or 16 (AVX-512); say --nchwc-block=8 or "
                  "16, or save it with ORT_ENABLE_EXTENDED");
  return g->nchwc_block;
}

/* ---- convolutions ---- */

static Value *unblocked_weights(Graph *g, const Node *n) {
  const Value *v = n->in[1];
  const float *from = f32_data(v);
  check_rank(g, n, 1, 4, 4);
  if (!from) fail_at(g, n, "weights in blocks must be constants of fp32");
  int64_t outputs = v->shape.d[0], inputs = v->shape.d[1], taps = v->shape.d[2] * v->shape.d[3];
  int64_t b = nchwc_block(g, n);
  bool planes = inputs < b; /* the inputs are not in blocks: a stem's, or one a group */
  if (outputs % b || (!planes && inputs % b))
    fail_at(g, n, "weights %s are no whole blocks of %lld channels", shape_text(g->cx, &v->shape),
            (long long)b);
  Value *w = value_const_f32(g, format_text(g->cx, "%s.weights", n->name), v->shape);
  for (int64_t o = 0; o < outputs; o++) {
    for (int64_t i = 0; i < inputs; i++) {
      for (int64_t p = 0; p < taps; p++) {
        int64_t block = planes ? (o / b * inputs + i) * taps + p
            : ((o / b * (inputs / b) + i / b) * taps + p) * b + i % b;
        f32_of(w)[(o * inputs + i) * taps + p] = from[block * b + o % b];
      }
    }
  }
  return w;
}

void compose_nchwc_conv(Graph *g, Node *n) {
  if (n->in[0]->type != T_F32) fail_at(g, n, "channels in blocks must be fp32");
  compose_activated_conv(g, n, n->in[0], unblocked_weights(g, n));
}

/* ---- pools and sizes ---- */

static void same_operator(Graph *g, Node *n, Op op) {
  compose_result(g, n, compose_value(g, compose_like(g, n, op, 1, n->in)));
}

void compose_nchwc_max_pool(Graph *g, Node *n) { same_operator(g, n, OP_MaxPool); }
void compose_nchwc_average_pool(Graph *g, Node *n) { same_operator(g, n, OP_AveragePool); }
void compose_nchwc_global_average_pool(Graph *g, Node *n) { same_operator(g, n, OP_GlobalAveragePool); }
void compose_nchwc_global_max_pool(Graph *g, Node *n) { same_operator(g, n, OP_GlobalMaxPool); }

void compose_nchwc_upsample(Graph *g, Node *n) {
  const Attr *a = attr_find(n, "scales");
  if (!a || a->kind != A_INTS || a->n != 4) fail_at(g, n, "attribute scales is not four integers");
  Value *scales = value_const_f32(g, format_text(g->cx, "%s.scales", n->name), shape_of(1, (int64_t)4));
  for (int k = 0; k < 4; k++) f32_of(scales)[k] = (float)a->ints[k];
  Node *resize = compose_like(g, n, OP_Resize, 3, (Value *[]){n->in[0], NULL, scales});
  attr_remove(resize, "scales");
  attr_set_string(g, resize, "nearest_mode", "floor");
  if (!attr_find(n, "coordinate_transformation_mode"))
    attr_set_string(g, resize, "coordinate_transformation_mode", "asymmetric");
  compose_result(g, n, compose_value(g, resize));
}

/* ---- into blocks and out of them ---- */

/* Zeros fill up the last block. */
void compose_nchwc_reorder_input(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *x = n->in[0];
  if (attr_int(n, "channels_last", 0) != 0) x = compose_channels_first(g, n, x);
  int64_t over = x->shape.d[1] % 16 ? x->shape.d[1] % nchwc_block(g, n) : 0;
  if (over) {
    int64_t pads[8] = {[5] = nchwc_block(g, n) - over};
    x = compose_value(g, compose_node(g, n, OP_Pad, 2, (Value *[]){x, value_const_i64(g, "pads", 8, pads)}));
  }
  compose_result(g, n, x);
}

/* The channels that filled up the last block go. */
void compose_nchwc_reorder_output(Graph *g, Node *n) {
  check_rank(g, n, 0, 4, 4);
  Value *x = n->in[0];
  int64_t channels = attr_int(n, "channels", 0);
  check_range(g, n, "attribute channels", channels, 1, x->shape.d[1]);
  if (channels < x->shape.d[1]) {
    Value *in[] = {x, value_const_i64(g, "0", 1, (int64_t[]){0}),
                   value_const_i64(g, "channels", 1, &channels),
                   value_const_i64(g, "axis", 1, (int64_t[]){1})};
    x = compose_value(g, compose_node(g, n, OP_Slice, 4, in));
  }
  if (attr_int(n, "channels_last", 0) != 0) x = compose_channels_last(g, n, x);
  compose_result(g, n, x);
}
