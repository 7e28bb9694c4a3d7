/* bytes.c: epilogues of tiles. Of those whose results are of 8 bits, a result that is quantised stays the number that is yet to be rounded,
 *
 *   clamp(rne(x) + zero, lo, hi)
 *
 * until it is known what becomes of it: a step that goes on with it rounds and clamps in floats, and where it is the last, four
 * vectors are rounded to i32 and packed, by instructions that saturate and so clamp them:
 *
 *   i32 a, b, c, d  --packssdw-->  i16 ab, cd  --paddsw zero, packuswb-->  u8 abcd */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== one vector ==== */

typedef struct Bytes { Type type; int step; double lo, hi; } Bytes; /* clamp(integer + the step's zero point, lo, hi) */

typedef struct Pending {
  Ref x;         /* NULL: nothing is pending */
  Bytes how;
  bool bounded;  /* |x| < 2^31 */
} Pending;

static bool makes_pending(const Step *s) { return s->op == OP_Requantize || s->op == OP_QLinearAdd || s->op == OP_QuantizeLinear; }

static Ref number(Emit *e, const Node *n, const Pending *p, StepNumber which) { return step_real(e, n, p->how.step, which, p->x); }

/* Where what is pending is clamped before it is rounded: both bounds are whole numbers. */
static Ref clamped(Emit *e, const Node *n, const Pending *p) {
  return fmin_(e, fmax_(e, p->x, number(e, n, p, NUMBER_LO)), number(e, n, p, NUMBER_HI));
}

static Ref as_whole(Emit *e, const Node *n, const Pending *p) { return whole_above(e, clamped(e, n, p), number(e, n, p, NUMBER_BASE)); }

static Ref float_of(Emit *e, const Node *n, const Pending *p, Type t, Ref acc) {
  return p->x ? as_whole(e, n, p) : math_cast(e, math_cast(e, acc, t, T_I32), T_I32, T_F32);
}

static Ref less_zero(Emit *e, const Node *n, int i, Ref x) {
  return step_zero(&n->step[i]) != 0 ? sub_f(e, x, step_real(e, n, i, NUMBER_ZERO, x)) : x;
}

/* Step i, which quantises; arg is what it has as an argument. */
static Pending quantized(Emit *e, const Node *n, int i, bool bounded, const Pending *p, Ref acc, Ref arg) {
  const Step *s = &n->step[i];
  Type from = step_type(n, i - 1), to = step_type(n, i);
  Pending q = {.how = {.type = to, .step = i, .lo = (double)type_lowest(to), .hi = (double)type_highest(to)}};
  if (s->op == OP_QLinearAdd) {
    Type t = n->in[s->arg]->type;
    Ref y = float_of(e, n, &(Pending){0}, t, arg), x = less_zero(e, n, i, float_of(e, n, p, from, acc));
    y = less_zero(e, n, i, y);
    q.x = scaled_sum(e, n, i, s->swap ? y : x, s->swap ? x : y);
    q.bounded = step_sum_is_bounded(s);
  } else if (s->op == OP_Requantize) {
    q.x = mul_f(e, math_cast(e, acc, T_I32, T_F32), arg);
    q.bounded = bounded;
  } else {
    q.x = emit_quotient(e, acc, s->a);
    q.bounded = true;
  }
  return q;
}

static Ref settled(Emit *e, const Node *n, const Pending *p) {
  return math_cast(e, nearest_i32(e, as_whole(e, n, p)), T_I32, p->how.type);
}

static void clip(Pending *p, const Step *s) {
  if (s->a > p->how.lo) p->how.lo = s->a;
  if (s->b < p->how.hi) p->how.hi = s->b;
}

/* What is left to be packed, of the sum acc[b*uw + u]. */
static Ref apply_to_bytes(Emit *e, Node *n, const ResultTile *t, int b, int u, Ref acc, Ref *arg, Bytes *how) {
  Pending p = {0};
  for (int i = t->first; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    Ref operand = step_operand(e, n, i, arg, b, t->dy[u], t->dx[u]);
    if (p.x && s->op == OP_Clip) {
      clip(&p, s);
    } else if (makes_pending(s)) {
      p = quantized(e, n, i, t->bounded, &p, acc, operand);
    } else {
      acc = typed_step(e, n, i, p.x ? settled(e, n, &p) : acc, operand);
      p.x = NULL;
    }
  }
  assert(p.x);
  *how = p.how;
  return nearest_i32(e, p.bounded ? p.x : clamped(e, n, &p));
}

static bool ends_in_bytes(const Node *n) {
  int i = n->n_step - 1;
  while (i >= 0 && n->step[i].op == OP_Clip) i--;
  return i >= 0 && makes_pending(&n->step[i]) && type_size(n->out[0]->type) == 1;
}

/* ==== packing ==== */

static Ref add_zero(Emit *e, const Node *n, const Bytes *how, Ref words) {
  LLVMTypeRef type = LLVMTypeOf(words);
  if (step_zero(&n->step[how->step]) == 0) return words;
  return intrinsic(e, "llvm.sadd.sat", 1, &type, 2, (Ref[]){words, step_zero_like(e, n, how->step, words)});
}

static Ref within(Emit *e, const Bytes *how, Ref v) {
  LLVMTypeRef type = LLVMTypeOf(v);
  bool is_signed = how->type == T_I8;
  Ref lo[] = {v, whole_like(e, v, (int64_t)how->lo)};
  if (how->lo > (double)type_lowest(how->type)) v = intrinsic(e, is_signed ? "llvm.smax" : "llvm.umax", 1, &type, 2, lo);
  Ref hi[] = {v, whole_like(e, v, (int64_t)how->hi)};
  return how->hi < (double)type_highest(how->type) ? intrinsic(e, is_signed ? "llvm.smin" : "llvm.umin", 1, &type, 2, hi) : v;
}

/* count <= 4 vectors, one behind the other. */
static Ref pack_bytes(Emit *e, const Node *n, const Bytes *how, Ref *v, int count) {
  Ref word[2], all[4];
  for (int i = 0; i < 4; i++) all[i] = v[i < count ? i : count - 1];
  for (int i = 0; i < 2; i++) word[i] = add_zero(e, n, how, pack_pair(e, how->type, all[2 * i], all[2 * i + 1]));
  return within(e, how, packed_in_order(e, pack_pair(e, how->type, word[0], word[1])));
}

/* Four vectors at a time: as many of each pixel as lie beside each other. */
static void store_bytes(Emit *e, Node *n, const ResultTile *t, Ref *acc, Ref *arg, Ref out) {
  int each = t->nb % 4 == 0 ? 4 : t->nb % 2 == 0 ? 2 : 1, most = 4 / each;
  for (int b = 0; b < t->nb; b += each) {
    for (int u = 0; u < t->uw; u += most) {
      Ref v[4];
      Bytes how = {0};
      int count = 0;
      for (int i = u; i < u + most && i < t->uw; i++)
        for (int k = b; k < b + each; k++) v[count++] = apply_to_bytes(e, n, t, k, i, acc[k * t->uw + i], arg, &how);
      Ref all = pack_bytes(e, n, &how, v, count);
      for (int i = 0; i < count; i += each) {
        int64_t at = place_vector_offset(e, n->out[0], b, 0, 0) + t->out[u + i / each];
        store(e, take_lanes(e, all, i * e->lanes, each * e->lanes), out, at, each * e->lanes);
      }
    }
  }
}

void store_results(Emit *e, Node *n, const ResultTile *t, Ref *acc, Ref *arg, Ref out) {
  const Value *y = n->out[0];
  if (ends_in_bytes(n)) {
    store_bytes(e, n, t, acc, arg, out);
    return;
  }
  for (int b = 0; b < t->nb; b++) {
    for (int u = 0; u < t->uw; u++) {
      Ref v = acc[b * t->uw + u];
      for (int i = t->first; i < n->n_step; i++) v = typed_step(e, n, i, v, step_operand(e, n, i, arg, b, t->dy[u], t->dx[u]));
      store(e, v, out, place_vector_offset(e, y, b, 0, 0) + t->out[u], e->lanes * (int)type_size(y->type));
    }
  }
}

void store_sums(Emit *e, Node *n, int uw, int nb, bool bounded, Ref *acc, Ref *arg, Ref out) {
  int64_t at[MAX_TILE];
  int dx[MAX_TILE], dy[MAX_TILE] = {0};
  assert(uw <= MAX_TILE);
  for (int u = 0; u < uw; u++) at[dx[u] = u] = place_offset(n->out[0], 0, 0, u);
  store_results(e, n, &(ResultTile){uw, nb, integer_bias(n) != NULL, bounded, at, dy, dx}, acc, arg, out);
}
