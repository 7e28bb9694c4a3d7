/* random_nodes.c: a proposal for each operator. */
#include "random_nodes.h"

#include <math.h>
#include <string.h>

enum { HUGE_MAGNITUDE = 100000 };

/* Behind others; NULL: there is none. */
static const char *last_argument(R *r, const char *name) {
  return name ? format_text(r->cx, ", %s", name) : "";
}

/* ==== elementwise ==== */

static bool unary(R *r) {
  static const struct { Op op; bool exact; double most; } table[] = {
    {OP_Relu, true, HUGE_MAGNITUDE}, {OP_Sigmoid, false, 1}, {OP_Tanh, false, 1}, {OP_HardSwish, false, HUGE_MAGNITUDE},
    {OP_LeakyRelu, false, HUGE_MAGNITUDE}, {OP_Elu, false, HUGE_MAGNITUDE}, {OP_HardSigmoid, false, 1}, {OP_Clip, true, 3}, {OP_Identity, true, HUGE_MAGNITUDE},
    {OP_Dropout, true, HUGE_MAGNITUDE},
  };
  int k = below(r, (int)COUNT(table)), first = r->n_line;
  const V *x = random_any(r, T_F32, 0, 6);
  if (!x) return false;
  double most = x->magnitude < table[k].most ? x->magnitude : table[k].most;
  const char *name = op_info[table[k].op].name;
  Shape scalar = {0};
  if (table[k].op == OP_Clip) {
    const char *lo = one_in(r, 4) ? "_" : random_constant_between(r, &scalar, -2, 0);
    const char *hi = one_in(r, 4) ? NULL : random_constant_between(r, &scalar, 0.5, 3);
    random_say(r, "%s = Clip(%s, %s%s)", random_new_value(r), x->name, lo, last_argument(r, hi));
    most = x->magnitude;
  } else if (table[k].op == OP_LeakyRelu || table[k].op == OP_Elu || table[k].op == OP_HardSigmoid) {
    random_say(r, "%s = %s(%s) alpha=%.3g", random_new_value(r), name, x->name, random_double(&r->state, 0.01, 0.5));
  } else {
    random_say(r, "%s = %s(%s)", random_new_value(r), name, x->name);
  }
  return random_keep(r, first, table[k].op, x->exact && table[k].exact, most);
}

static bool binary(R *r) {
  static const Op ops[] = {OP_Add, OP_Sub, OP_Mul, OP_Add, OP_PRelu, OP_Div};
  Op op = ops[below(r, (int)COUNT(ops))];
  int first = r->n_line;
  const V *x = random_any(r, T_F32, 0, 6), *y = random_any(r, T_F32, 0, 6);
  if (!x || !y) return false;
  const char *arg = y->name;
  double most = y->magnitude;
  if (op == OP_Div || op == OP_PRelu || one_in(r, 2) || x->magnitude * most > HUGE_MAGNITUDE) {
    Shape s = random_smaller_shape(r, &x->shape);
    arg = op == OP_Div ? random_constant_between(r, &s, 0.5, 2) : random_constant(r, &s, 1);
    most = op == OP_Div ? 2 : 1;
  }
  if (op != OP_Div && op != OP_PRelu && one_in(r, 3)) random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, arg, x->name);
  else random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, x->name, arg);
  bool sum = op == OP_Add || op == OP_Sub;
  return random_keep(r, first, op, false, sum ? x->magnitude + most : x->magnitude * (most > 1 ? most : 1));
}

/* On integers. */
static bool integers(R *r) {
  static const Op ops[] = {OP_Add, OP_Sub, OP_Mul, OP_Relu};
  static const Type types[] = {T_I32, T_I64, T_U8, T_I8};
  Type t = types[below(r, (int)COUNT(types))];
  Op op = ops[below(r, (int)COUNT(ops))];
  const V *x = random_any(r, t, 0, 6), *y = random_any(r, t, 0, 6);
  int first = r->n_line;
  if (!x || !y || x->magnitude * y->magnitude > 100) return false;
  if (op == OP_Relu) random_say(r, "%s = Relu(%s)", random_new_value(r), x->name);
  else random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, x->name, y->name);
  return random_keep(r, first, op, true, op == OP_Mul ? x->magnitude * y->magnitude : x->magnitude + y->magnitude);
}

static bool cast(R *r) {
  static const Type types[] = {T_F32, T_I32, T_I64, T_U8, T_I8, T_F64, T_BOOL, T_F16, T_F32};
  const V *x = random_any(r, T_NONE, 0, 6);
  int first = r->n_line;
  Type to = types[below(r, (int)COUNT(types))];
  if (!x->exact || x->magnitude > 100) return false;
  random_say(r, "%s = Cast(%s) to=%d", random_new_value(r), x->name, (int)to);
  return random_keep(r, first, OP_Cast, to != T_F16, x->magnitude);
}

static bool batch_norm(R *r) {
  const V *x = random_any(r, T_F32, 2, 5);
  if (!x || x->shape.d[1] < 0) return false;
  int first = r->n_line;
  Shape s = {.rank = 1, .d = {x->shape.d[1]}};
  const char *scale = random_constant(r, &s, 2), *bias = random_constant(r, &s, 1), *mean = random_constant(r, &s, 1), *var = random_constant_between(r, &s, 0.3, 2);
  random_say(r, "%s = BatchNormalization(%s, %s, %s, %s, %s)", random_new_value(r), x->name, scale, bias, mean, var);
  return random_keep(r, first, OP_BatchNormalization, false, 4 * (x->magnitude + 1) + 1);
}

/* ==== windows ==== */

RandomWindow random_window(R *r, int rank, bool pool) {
  static const int64_t usual[] = {1, 1, 2, 3, 3, 3, 5, 7}, wide[] = {1, 4, 8, 11, 16, 17, 31, 100};
  RandomWindow w;
  for (int i = 0; i < rank; i++) {
    w.kernel[i] = r->extreme && one_in(r, 5) ? wide[below(r, 8)] : usual[below(r, 8)];
    if (i > 0 && one_in(r, 2)) w.kernel[i] = w.kernel[0];
    w.stride[i] = 1 + random_extent(r, 1);
    w.dilation[i] = one_in(r, 4) ? 1 + random_extent(r, 1) : 1;
    w.pad[i] = one_in(r, 3) ? random_extent(r, 3) : w.kernel[i] / 2;
    w.pad[rank + i] = one_in(r, 4) ? random_extent(r, 3) : w.pad[i];
    for (int end = i; end < 2 * rank; end += rank) {
      if (pool && w.pad[end] >= w.kernel[i]) w.pad[end] = w.kernel[i] - 1;
      if (w.stride[i] > INT32_MAX) w.stride[i] = INT32_MAX;
      if (w.dilation[i] > INT32_MAX) w.dilation[i] = INT32_MAX;
    }
  }
  return w;
}

const char *random_window_text(R *r, const RandomWindow *w, int rank, bool dilated) {
  char *text = format_text(r->cx, "strides=%s pads=%s", random_ints(r, "[]", rank, w->stride), random_ints(r, "[]", 2 * rank, w->pad));
  return dilated ? format_text(r->cx, "%s dilations=%s", text, random_ints(r, "[]", rank, w->dilation)) : text;
}

int64_t random_group(R *r, int64_t channels) {
  if (one_in(r, 2) || channels < 1) return 1;
  if (one_in(r, 2)) return channels;
  int64_t group = 1 + below(r, (int)channels);
  while (channels % group) group--;
  return group;
}

static bool conv(R *r) {
  const V *x = random_any(r, T_F32, 3, 5);
  if (!x || x->shape.d[1] < 0) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  int64_t channels = x->shape.d[1], group = random_group(r, channels);
  RandomWindow w = random_window(r, rank, false);
  Shape ws = {.rank = rank + 2, .d = {group * (group > 8 ? 1 + below(r, 2) : 1 + below(r, 2) * random_size(r)), channels / group}};
  double terms = (double)ws.d[1];
  for (int i = 0; i < rank; i++) ws.d[2 + i] = w.kernel[i], terms *= (double)w.kernel[i];
  if (ws.d[0] < 1 || terms * (double)ws.d[0] > MOST_WORK / 8) return false;
  Shape bs = {.rank = 1, .d = {ws.d[0]}};
  const char *weight = random_constant(r, &ws, 2 / (1 + terms));
  const char *bias = one_in(r, 3) ? NULL : random_constant(r, &bs, 1);
  random_say(r, "%s = Conv(%s, %s%s) %s group=%lld", random_new_value(r), x->name, weight, last_argument(r, bias),
      random_window_text(r, &w, rank, true), (long long)group);
  return random_keep(r, first, OP_Conv, false, 2 * x->magnitude + 1);
}

static bool conv_transpose(R *r) {
  const V *x = random_any(r, T_F32, 3, 5);
  if (!x || x->shape.d[1] < 1) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  int64_t channels = x->shape.d[1], group = random_group(r, channels), more[3] = {0};
  RandomWindow w = random_window(r, rank, false);
  Shape ws = {.rank = rank + 2, .d = {channels, 1 + below(r, group > 8 ? 2 : 20)}};
  double terms = (double)(channels / group), work = 1;
  for (int i = 0; i < rank; i++) {
    ws.d[2 + i] = w.kernel[i], terms *= (double)w.kernel[i];
    if (w.stride[i] > 4) w.stride[i] = 1 + w.stride[i] % 4;
    more[i] = one_in(r, 3) ? below(r, (int)w.stride[i]) : 0;
    work *= (double)(x->shape.d[2 + i] + 1) * (double)w.kernel[i];
  }
  if (terms * (double)(ws.d[1] * group) > MOST_WORK / 8 || work * (double)(channels * ws.d[1]) > 16 * MOST_WORK) return false;
  Shape bs = {.rank = 1, .d = {ws.d[1] * group}};
  const char *weight = random_constant(r, &ws, 2 / (1 + terms)), *bias = one_in(r, 3) ? NULL : random_constant(r, &bs, 1);
  random_say(r, "%s = ConvTranspose(%s, %s%s) %s group=%lld output_padding=%s", random_new_value(r), x->name, weight,
             last_argument(r, bias), random_window_text(r, &w, rank, true), (long long)group, random_ints(r, "[]", rank, more));
  return random_keep(r, first, OP_ConvTranspose, false, 2 * x->magnitude + 1);
}

static bool pool(R *r) {
  const V *x = random_any(r, T_F32, 3, 5);
  if (!x) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  bool max = one_in(r, 2), norm = !max && one_in(r, 2), indices = max && x->exact && one_in(r, 4);
  RandomWindow w = random_window(r, rank, true);
  const char *y = random_new_value(r), *extra = max ? "" : norm ? " p=1" : one_in(r, 2) ? " count_include_pad=1" : "";
  if (indices) random_say(r, "%s, i%d = MaxPool(%s)", y, r->n_line, x->name);
  else random_say(r, "%s = %s(%s)", y, max ? "MaxPool" : norm ? "LpPool" : "AveragePool", x->name);
  char *line = r->line[r->n_line - 1];
  r->line[r->n_line - 1] = format_text(r->cx, "%s kernel_shape=%s %s ceil_mode=%d%s", line, random_ints(r, "[]", rank, w.kernel),
                                       random_window_text(r, &w, rank, max), one_in(r, 4), extra);
  double most = x->magnitude;
  for (int i = 0; i < rank && norm; i++) most *= (double)w.kernel[i];
  return random_keep(r, first, max ? OP_MaxPool : norm ? OP_LpPool : OP_AveragePool, max && x->exact, most);
}

static bool global_pool(R *r) {
  const V *x = random_any(r, T_F32, 3, 5);
  if (!x) return false;
  int first = r->n_line;
  Op op = one_in(r, 3) ? OP_GlobalMaxPool : OP_GlobalAveragePool;
  random_say(r, "%s = %s(%s)", random_new_value(r), op_info[op].name, x->name);
  return random_keep(r, first, op, false, x->magnitude);
}

/* ==== products ==== */

static bool gemm(R *r) {
  const V *x = random_any(r, T_F32, 2, 2);
  if (!x || x->shape.d[1] < 0) return false;
  int first = r->n_line;
  int64_t k = x->shape.d[1], n = random_size(r);
  bool turned = one_in(r, 2);
  Shape b = {.rank = 2, .d = {turned ? n : k, turned ? k : n}}, c = {.rank = 1, .d = {one_in(r, 4) ? 1 : n}};
  const char *w = random_constant(r, &b, 2 / (1 + (double)k)), *bias = one_in(r, 3) ? NULL : random_constant(r, &c, 1);
  random_say(r, "%s = Gemm(%s, %s%s) transB=%d alpha=%g beta=%g", random_new_value(r), x->name, w, last_argument(r, bias),
      turned, one_in(r, 4) ? 0.5 : 1, one_in(r, 4) ? -2.0 : 1);
  return random_keep(r, first, OP_Gemm, false, 2 * x->magnitude + 2);
}

static bool matmul(R *r) {
  const V *x = random_any(r, T_F32, 1, 5);
  if (!x || x->shape.rank < 1) return false;
  int first = r->n_line;
  int64_t k = x->shape.d[x->shape.rank - 1];
  if (k < 0 || x->magnitude > 1000) return false;
  Shape b = {.rank = 2, .d = {k, random_size(r)}};
  const V *y = one_in(r, 4) ? random_any(r, T_F32, 1, 4) : NULL;
  if (y && y->magnitude * x->magnitude * (double)(k + 1) > HUGE_MAGNITUDE) y = NULL;
  double most = y ? y->magnitude * x->magnitude * (double)(k + 1) : 2 * x->magnitude;
  const char *w = y ? y->name : random_constant(r, &b, 2 / (1 + (double)k));
  random_say(r, "%s = MatMul(%s, %s)", random_new_value(r), x->name, w);
  return random_keep(r, first, OP_MatMul, false, most);
}

/* A tensor times itself, turned, as attention has it: such products read their operands where they lie. */
static bool heads(R *r) {
  const V *x = random_any(r, T_F32, 3, 5);
  if (!x || x->shape.rank < 3 || x->magnitude > 100) return false;
  int first = r->n_line, rank = x->shape.rank;
  int64_t perm[MAX_RANK], inner = x->shape.d[rank - 2] + x->shape.d[rank - 1];
  for (int i = 0; i < rank; i++) perm[i] = i;
  perm[rank - 2] = rank - 1, perm[rank - 1] = rank - 2;
  const char *turned = random_new_value(r);
  random_say(r, "%s = Transpose(%s) perm=%s", turned, x->name, random_ints(r, "[]", rank, perm));
  if (one_in(r, 2)) {
    const char *factor = random_constant_between(r, &(Shape){0}, 0.1, 1);
    const char *scaled = random_new_value(r);
    bool swap = one_in(r, 2);
    random_say(r, "%s = Mul(%s, %s)", scaled, swap ? factor : turned, swap ? turned : factor);
    turned = scaled;
  }
  const char *y = random_new_value(r);
  bool left = one_in(r, 2);
  random_say(r, "%s = MatMul(%s, %s)", y, left ? turned : x->name, left ? x->name : turned);
  if (rank > 3 && one_in(r, 2)) {
    for (int i = 0; i < rank; i++) perm[i] = i;
    perm[1] = 2, perm[2] = 1;
    random_say(r, "%s = Transpose(%s) perm=%s", random_new_value(r), y, random_ints(r, "[]", rank, perm));
  }
  return random_keep(r, first, OP_MatMul, false, x->magnitude * x->magnitude * (double)inner);
}

/* ==== along axes ==== */

static bool along_axis(R *r) {
  static const Op ops[] = {OP_Softmax, OP_LogSoftmax, OP_ArgMax, OP_ArgMin, OP_ArgMax, OP_ArgMin};
  Op op = ops[below(r, (int)COUNT(ops))];
  const V *x = random_any(r, T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  bool is_arg = op == OP_ArgMax || op == OP_ArgMin;
  if (axis < 0 || (is_arg && !x->exact) || x->magnitude > 20) return false;
  if (one_in(r, 2)) axis -= x->shape.rank;
  if (is_arg) {
    random_say(r, "%s = %s(%s) axis=%d keepdims=%d select_last_index=%d", random_new_value(r), op_info[op].name, x->name, axis, one_in(r, 2), one_in(r, 3));
    return random_keep(r, first, op, true, 1000000);
  }
  random_say(r, "%s = %s(%s) axis=%d", random_new_value(r), op_info[op].name, x->name, axis);
  return random_keep(r, first, op, false, op == OP_Softmax ? 1 : 3 * x->magnitude + 10);
}

/* With so large an epsilon that what is almost constant keeps its precision. */
static bool normalization(R *r) {
  static const Op ops[] = {OP_InstanceNormalization, OP_GroupNormalization, OP_LayerNormalization, OP_RMSNormalization, OP_LRN};
  Op op = ops[below(r, (int)COUNT(ops))];
  const V *x = random_any(r, T_F32, 2, 5);
  if (!x || x->shape.d[1] < 0 || x->magnitude > 20) return false;
  int first = r->n_line, axis = 1 + below(r, x->shape.rank - 1);
  int64_t channels = x->shape.d[1], groups = random_group(r, channels);
  Shape s = {.rank = 1, .d = {op == OP_GroupNormalization && one_in(r, 3) ? groups : channels}}, t = s;
  if (op == OP_LayerNormalization || op == OP_RMSNormalization) {
    s.rank = x->shape.rank - axis;
    for (int i = 0; i < s.rank; i++) s.d[i] = x->shape.d[axis + i];
    t = random_smaller_shape(r, &s);
  }
  const char *scale = random_constant(r, &s, 2), *bias = random_constant(r, &t, 1);
  const char *y = random_new_value(r);
  if (op == OP_LRN) random_say(r, "%s = LRN(%s) size=%d beta=0.5 alpha=0.1", y, x->name, 1 + below(r, 6));
  else if (op == OP_RMSNormalization) random_say(r, "%s = RMSNormalization(%s, %s) axis=%d epsilon=0.1", y, x->name, scale, axis);
  else if (op == OP_LayerNormalization) random_say(r, "%s = LayerNormalization(%s, %s, %s) axis=%d epsilon=0.1", y, x->name, scale, bias, axis);
  else if (op == OP_GroupNormalization) {
    const char *shift = random_constant(r, &s, 1);
    random_say(r, "%s = GroupNormalization(%s, %s, %s) num_groups=%lld epsilon=0.1", y, x->name, scale, shift, (long long)groups);
  } else random_say(r, "%s = InstanceNormalization(%s, %s, %s) epsilon=0.1", y, x->name, scale, bias);
  return random_keep(r, first, op, false, op == OP_LRN ? x->magnitude : 8 * x->magnitude + 1);
}

/* Along axes; of positive numbers, since a sum of 0 would be divided by. */
static bool along_axes(R *r) {
  const V *x = random_any(r, T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0 || x->magnitude > 20) return false;
  bool lp = one_in(r, 2);
  random_say(r, "p%d = Sigmoid(%s)", first, x->name);
  if (lp) random_say(r, "%s = LpNormalization(p%d) axis=%d p=%d", random_new_value(r), first, axis, 1 + below(r, 2));
  else random_say(r, "%s = Normalize(%s) axes=[%d] epsilon=0.1", random_new_value(r), x->name, axis);
  return random_keep(r, first, lp ? OP_LpNormalization : OP_Normalize, false, lp ? 1 : 8 * x->magnitude);
}

enum { MOST_FACTORS = 8 }; /* of a product */

/* The largest magnitude of a reduction's result; a negative one: not to be tried. */
static double reduced_magnitude(Op op, const V *x) {
  double count = (double)(shape_is_symbolic(&x->shape) ? 1000 : shape_count(&x->shape)), m = x->magnitude;
  switch (op) {
  case OP_ReduceProd: return m > 4 ? -1 : pow(m > 1 ? m : 1, MOST_FACTORS);
  case OP_ReduceMean: case OP_ReduceMax: case OP_ReduceMin: return m;
  case OP_ReduceL2: case OP_ReduceSumSquare: return m * m * count;
  case OP_ReduceLogSumExp: return m + 10;
  default: return m * count;
  }
}

static bool reduce(R *r) {
  static const Op ops[] = {OP_ReduceMean, OP_ReduceMean, OP_ReduceSum, OP_ReduceMax, OP_ReduceMin, OP_ReduceProd, OP_ReduceL1,
                           OP_ReduceL2, OP_ReduceSumSquare, OP_ReduceLogSumExp};
  Op op = ops[below(r, (int)COUNT(ops))];
  bool integers = one_in(r, 8) && op != OP_ReduceL2 && op != OP_ReduceLogSumExp;
  const V *x = random_any(r, integers ? one_in(r, 2) ? T_I32 : T_I64 : T_F32, 1, 5);
  double most = x ? reduced_magnitude(op, x) : -1;
  if (most < 0 || most > HUGE_MAGNITUDE) return false;
  int first = r->n_line, n = 0;
  int64_t axes[MAX_RANK];
  for (int i = batched(x); i < x->shape.rank; i++) {
    if (op == OP_ReduceProd && (n > 0 || x->shape.d[i] > MOST_FACTORS)) continue;
    if (one_in(r, 2)) axes[n++] = one_in(r, 3) ? i - x->shape.rank : i;
  }
  bool exact = x->exact && (integers || op == OP_ReduceMax || op == OP_ReduceMin);
  const char *list = random_int_list(r, n, axes);
  random_say(r, "%s = %s(%s, %s) keepdims=%d noop_with_empty_axes=%d", random_new_value(r), op_info[op].name, x->name, list,
             one_in(r, 2), n == 0);
  return random_keep(r, first, op, exact, most);
}

static bool hardmax(R *r) {
  const V *x = random_any(r, T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0 || !x->exact) return false;
  random_say(r, "%s = Hardmax(%s) axis=%d", random_new_value(r), x->name, axis);
  return random_keep(r, first, OP_Hardmax, true, 1);
}

static bool cumsum(R *r) {
  const V *x = random_any(r, one_in(r, 6) ? T_I32 : T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  double most = axis < 0 ? 0 : x->magnitude * (double)x->shape.d[axis];
  if (axis < 0 || most > HUGE_MAGNITUDE) return false;
  const char *list = random_int_list(r, 1, (int64_t[]){axis});
  random_say(r, "%s = CumSum(%s, %s) exclusive=%d reverse=%d", random_new_value(r), x->name, list, one_in(r, 2), one_in(r, 2));
  return random_keep(r, first, OP_CumSum, x->exact && x->type == T_I32, most);
}

static bool topk(R *r) {
  const V *x = random_any(r, T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0 || !x->exact) return false; /* what was rounded may lie in another order */
  const char *k = random_int_list(r, 1, (int64_t[]){below(r, (int)size_min(x->shape.d[axis], 20) + 1)});
  random_say(r, "%s, i%d = TopK(%s, %s) axis=%d largest=%d", random_new_value(r), r->n_line, x->name, k, axis, one_in(r, 2));
  return random_keep(r, first, OP_TopK, true, 1000000);
}

/* ==== moves ==== */

static bool transpose(R *r) {
  const V *x = random_any(r, one_in(r, 5) ? T_NONE : T_F32, 1, 5);
  if (!x) return false;
  int first = r->n_line, fixed = batched(x);
  int64_t perm[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) perm[i] = i;
  for (int i = x->shape.rank - 1; i > fixed; i--) {
    int k = fixed + below(r, i - fixed + 1);
    int64_t t = perm[i];
    perm[i] = perm[k], perm[k] = t;
  }
  static const int64_t to_last[] = {0, 2, 3, 1}, to_second[] = {0, 3, 1, 2};
  if (x->shape.rank == 4 && one_in(r, 2)) memcpy(perm, one_in(r, 2) ? to_last : to_second, sizeof to_last);
  random_say(r, "%s = Transpose(%s) perm=%s", random_new_value(r), x->name, random_ints(r, "[]", x->shape.rank, perm));
  return random_keep(r, first, OP_Transpose, x->exact, x->magnitude);
}

static bool concat(R *r) {
  const V *x = random_any(r, one_in(r, 8) ? T_NONE : T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  char *list = format_text(r->cx, "%s", x->name);
  double most = x->magnitude;
  bool exact = x->exact;
  for (int n = below(r, 4); n > 0; n--) {
    const V *y = random_any(r, x->type, x->shape.rank, x->shape.rank);
    bool fits = y && batched(y) == batched(x);
    for (int i = 0; fits && i < x->shape.rank; i++) fits = i == axis || y->shape.d[i] == x->shape.d[i];
    if (!fits) y = x;
    list = format_text(r->cx, "%s, %s", list, y->name);
    exact &= y->exact;
    if (y->magnitude > most) most = y->magnitude;
  }
  random_say(r, "%s = Concat(%s) axis=%d", random_new_value(r), list, axis);
  return random_keep(r, first, OP_Concat, exact, most);
}

static bool split(R *r) {
  const V *x = random_any(r, T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  int64_t d = x->shape.d[axis], a = below(r, (int)d + 1), b = below(r, (int)(d - a) + 1);
  if (d % 2 == 0 && one_in(r, 2)) a = b = d / 2;
  const char *sizes = random_int_list(r, 3, (int64_t[]){a, b, d - a - b});
  int n = r->n_line;
  random_say(r, "v%d, w%d, %s = Split(%s, %s) axis=%d", n, n, one_in(r, 4) ? "_" : format_text(r->cx, "u%d", n), x->name, sizes, axis);
  return random_keep(r, first, OP_Split, x->exact, x->magnitude);
}

static bool slice(R *r) {
  static const int64_t starts[] = {0, 1, -1, 2, INT64_MIN, INT64_MAX, -3}, ends[] = {INT64_MAX, -1, 2, 5, INT64_MIN, 100, 3};
  static const int64_t steps[] = {1, 1, 2, -1, 3, -2, INT64_MAX, INT64_MIN + 1};
  const V *x = random_any(r, one_in(r, 6) ? T_NONE : T_F32, 1, 5);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  int64_t step = steps[below(r, 8)], start = starts[below(r, 7)], end = ends[below(r, 7)];
  if (step < 0 && one_in(r, 2)) start = -1, end = INT64_MIN;
  const char *s = random_int_list(r, 1, &start), *e = random_int_list(r, 1, &end), *a = random_int_list(r, 1, (int64_t[]){axis}), *t = random_int_list(r, 1, &step);
  random_say(r, "%s = Slice(%s, %s, %s, %s, %s)", random_new_value(r), x->name, s, e, a, t);
  return random_keep(r, first, OP_Slice, x->exact, x->magnitude);
}

static bool pad(R *r) {
  static const char *const modes[] = {"constant", "reflect", "edge", "wrap", "constant"};
  const V *x = random_any(r, one_in(r, 8) ? T_NONE : T_F32, 1, 5);
  if (!x) return false;
  int first = r->n_line, rank = x->shape.rank;
  int64_t pads[2 * MAX_RANK] = {0};
  for (int i = batched(x); i < rank; i++) {
    pads[i] = one_in(r, 2) ? below(r, 4) : one_in(r, 6) ? -1 : 0;
    pads[rank + i] = one_in(r, 2) ? below(r, 4) : one_in(r, 6) ? -1 : 0;
    if (r->extreme && one_in(r, 8)) pads[rank + i] = 1000;
  }
  const char *list = random_int_list(r, 2 * rank, pads), *mode = modes[below(r, 5)];
  Shape scalar = {0};
  const char *fill = x->type == T_F32 && one_in(r, 2) ? random_constant(r, &scalar, 1) : NULL;
  random_say(r, "%s = Pad(%s, %s%s) mode=\"%s\"", random_new_value(r), x->name, list, last_argument(r, fill), mode);
  return random_keep(r, first, OP_Pad, x->exact, x->magnitude + 1);
}

static bool gather(R *r) {
  const V *x = random_any(r, T_F32, 1, 4);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  int64_t d = x->shape.d[axis], list[5];
  for (int i = 0; i < 5; i++) list[i] = d ? below(r, (int)d) - (one_in(r, 3) ? d : 0) : 0;
  const char *index = one_in(r, 3) ? random_int(r, list[0]) : random_int_list(r, 1 + below(r, 5), list);
  random_say(r, "%s = Gather(%s, %s) axis=%d", random_new_value(r), x->name, index, axis);
  return random_keep(r, first, OP_Gather, x->exact, x->magnitude);
}

static bool space_to_depth(R *r) {
  const V *x = random_any(r, one_in(r, 6) ? T_NONE : T_F32, 4, 4);
  if (!x) return false;
  int first = r->n_line;
  if (one_in(r, 2)) {
    random_say(r, "%s = DepthToSpace(%s) blocksize=%d mode=\"%s\"", random_new_value(r), x->name, 1 + below(r, 3), one_in(r, 2) ? "CRD" : "DCR");
    return random_keep(r, first, OP_DepthToSpace, x->exact, x->magnitude);
  }
  random_say(r, "%s = SpaceToDepth(%s) blocksize=%d", random_new_value(r), x->name, 1 + below(r, 3));
  return random_keep(r, first, OP_SpaceToDepth, x->exact, x->magnitude);
}

static bool spread(R *r) {
  const V *x = random_any(r, one_in(r, 6) ? T_NONE : T_F32, 0, 4);
  if (!x) return false;
  int first = r->n_line, rank = x->shape.rank, more = one_in(r, 3) && !batched(x) ? 1 : 0;
  int64_t list[MAX_RANK] = {1 + below(r, 3)}, count = 1;
  bool tile = one_in(r, 2);
  for (int k = 0; k < rank; k++) {
    int64_t d = x->shape.d[k], times = one_in(r, 2) && k >= batched(x) ? 1 + below(r, 3) : 1;
    list[tile ? k : k + more] = tile ? times : d == 1 && k >= batched(x) ? random_size(r) : 1;
    count = size_mul(count, size_mul(d < 0 ? 1 : d, tile ? times : list[k + more]));
  }
  if (count > MOST_WORK / 16) return false;
  const char *text = random_int_list(r, tile ? rank : rank + more, list);
  random_say(r, "%s = %s(%s, %s)", random_new_value(r), tile ? "Tile" : "Expand", x->name, text);
  return random_keep(r, first, tile ? OP_Tile : OP_Expand, x->exact, x->magnitude);
}

static bool resize(R *r) {
  static const char *const modes[] = {"nearest", "nearest", "linear", "linear", "cubic"};
  static const char *const places[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"};
  const V *x = random_any(r, one_in(r, 6) ? T_NONE : T_F32, 1, 5);
  int mode = below(r, 5), first = r->n_line;
  if (!x || (mode > 1 && !type_is_float(x->type))) return false;
  int64_t axis[MAX_RANK], size[MAX_RANK], count = 0, all = 1;
  for (int k = batched(x); k < x->shape.rank; k++) {
    int64_t d = x->shape.d[k];
    bool chosen = d > 0 && (k < 2 ? one_in(r, 5) : !one_in(r, 4));
    if (chosen) axis[count] = k, size[count++] = one_in(r, 2) ? 2 * d : one_in(r, 2) ? 1 + below(r, 2 * (int)d) : random_size(r);
    all *= chosen ? size[count - 1] : d;
  }
  if (count == 0 || all > MOST_WORK / 256) return false;
  bool wide = mode > 1 && one_in(r, 4);
  const char *list = random_int_list(r, (int)count, size);
  random_say(r, "%s = Resize(%s, _, _, %s) axes=%s mode=\"%s\" coordinate_transformation_mode=\"%s\" nearest_mode=\"%s\"%s%s",
      random_new_value(r), x->name, list, random_ints(r, "[]", (int)count, axis), modes[mode], places[below(r, 5)],
      one_in(r, 2) ? "floor" : "round_prefer_ceil", wide ? " antialias=1" : "", one_in(r, 8) ? " exclude_outside=1" : "");
  return random_keep(r, first, OP_Resize, mode < 2 && x->exact, mode == 4 ? 6 * x->magnitude : x->magnitude);
}

static bool view(R *r) {
  const V *x = random_any(r, one_in(r, 6) ? T_NONE : T_F32, 0, 5);
  if (!x) return false;
  int first = r->n_line, rank = x->shape.rank;
  Op op = one_in(r, 3) ? OP_Flatten : one_in(r, 2) ? OP_Unsqueeze : one_in(r, 2) ? OP_Squeeze : OP_Reshape;
  if (op == OP_Flatten) {
    random_say(r, "%s = Flatten(%s) axis=%d", random_new_value(r), x->name, rank ? 1 : 0);
  } else if (op == OP_Reshape) {
    int64_t to[] = {0, -1, rank > 1 && x->shape.d[rank - 1] > 0 ? x->shape.d[rank - 1] : 1};
    const char *list = random_int_list(r, rank > 1 ? 3 : 2, to);
    random_say(r, "%s = Reshape(%s, %s)", random_new_value(r), x->name, list);
  } else {
    int axis = batched(x) + below(r, rank + 1 - batched(x));
    if (op == OP_Squeeze && (axis >= rank || x->shape.d[axis] != 1)) return false;
    const char *list = random_int_list(r, 1, (int64_t[]){axis});
    random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, x->name, list);
  }
  return random_keep(r, first, op, x->exact, x->magnitude);
}

/* Shape -> Slice -> Concat -> Reshape, as exporters write them. */
static bool shape_chain(R *r) {
  const V *x = random_any(r, T_F32, 2, 4);
  if (!x) return false;
  int first = r->n_line;
  char v[2][16];
  snprintf(v[0], sizeof v[0], "s%d", first);
  snprintf(v[1], sizeof v[1], "t%d", first);
  const char *zero = random_int_list(r, 1, (int64_t[]){0}), *one = random_int_list(r, 1, (int64_t[]){1}), *rest = random_int_list(r, 1, (int64_t[]){-1});
  random_say(r, "%s = Shape(%s)", v[0], x->name);
  random_say(r, "%s = Slice(%s, %s, %s)", v[1], v[0], zero, one);
  random_say(r, "z%d = Concat(%s, %s) axis=0", first, v[1], rest);
  random_say(r, "%s = Reshape(%s, z%d)", random_new_value(r), x->name, first);
  return random_keep(r, first, OP_Shape, x->exact, x->magnitude);
}

static bool constant_of_shape(R *r) {
  int first = r->n_line;
  const char *list = random_int_list(r, 2, (int64_t[]){1 + below(r, 4), random_size(r)});
  random_say(r, "%s = ConstantOfShape(%s)", random_new_value(r), list);
  return random_keep(r, first, OP_ConstantOfShape, true, 0);
}

bool random_node(R *r) {
  static bool (*const propose[])(R *) = {
    conv, conv, conv, conv_transpose, pool, pool, unary, unary, unary, binary, binary, binary, batch_norm, global_pool, gemm, matmul, heads, along_axis,
    hardmax, cumsum, topk, reduce, reduce, reduce, normalization, normalization, along_axes, transpose, concat, split, slice, pad, gather,
    random_index_node, random_index_node, space_to_depth, view, view, shape_chain, cast, integers,
    random_function, random_function, random_function, random_function, random_extremum, random_condition, random_logic, random_choice,
    constant_of_shape,
    resize, resize, spread,
  };
  return propose[below(r, (int)COUNT(propose))](r);
}
