/* harness.c: kernels against the evaluator; see harness.h. */
#include "harness.h"

#include "emulated.h"
#include "loaded.h"
#include "sanitized.h"

#include <math.h>
#include <string.h>

typedef struct Run {
  Context *cx;
  const char *text, *cpu;
  bool wide;             /* code shaped for 16 lanes and 32 registers, whatever the CPU has */
  int winograd;          /* of Options: WINOGRAD_AUTO, ... */
  bool strassen;         /* wherever it can be */
  double tolerance, lo, hi;
  int special;           /* one float in so many is a special one; 0: none */
  bool signs;            /* of zeros count */
  bool strict, small, many_shapes; /* of Options */
  bool integers;         /* also for CPUs whose instructions for them differ */
  bool spreads;          /* what is finite may be NaN, as long as not all is, and infinities too */
  const double *const *given; /* the inputs; NULL: random ones */
  const void *const *elements; /* the same in their types */
  const double *want;    /* the output, which the evaluator must have as well; NULL: what it has */
  int n_want;
  const void **input;
  void **expected;
} Run;

/* ==== elements ==== */

static double element(Type t, const void *data, int64_t i) {
  switch (t) {
  case T_F32: return (double)((const float *)data)[i];
  case T_F64: return ((const double *)data)[i];
  case T_U8: case T_BOOL: return ((const uint8_t *)data)[i];
  case T_I8: return ((const int8_t *)data)[i];
  case T_U16: case T_F16: case T_BF16: return ((const uint16_t *)data)[i]; /* halves as their bits */
  case T_I16: return ((const int16_t *)data)[i];
  case T_U32: return ((const uint32_t *)data)[i];
  case T_I32: return ((const int32_t *)data)[i];
  case T_U64: return (double)((const uint64_t *)data)[i];
  case T_I64: return (double)((const int64_t *)data)[i];
  default: fail_msg("an input of type %d", (int)t); return 0;
  }
}

static void set_element(Type t, void *data, int64_t i, double v) {
  switch (t) {
  case T_F32: ((float *)data)[i] = (float)v; return;
  case T_F64: ((double *)data)[i] = v; return;
  case T_U8: ((uint8_t *)data)[i] = (uint8_t)v; return;
  case T_BOOL: ((uint8_t *)data)[i] = (int64_t)v & 1; return;
  case T_I8: ((int8_t *)data)[i] = (int8_t)v; return;
  case T_U16: case T_F16: case T_BF16: ((uint16_t *)data)[i] = (uint16_t)v; return;
  case T_I16: ((int16_t *)data)[i] = (int16_t)v; return;
  case T_U32: ((uint32_t *)data)[i] = (uint32_t)v; return;
  case T_I32: ((int32_t *)data)[i] = (int32_t)v; return;
  case T_U64: ((uint64_t *)data)[i] = (uint64_t)v; return;
  case T_I64: ((int64_t *)data)[i] = (int64_t)v; return;
  default: fail_msg("an input of type %d", (int)t);
  }
}

/* Numbers that comparisons, maxima and sums treat in ways of their own. */
static double special_float(uint64_t *state) {
  static const double list[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-40, -1e-42};
  return list[(size_t)(random_unit(state) * COUNT(list))];
}

/* Bits of the same, the highest and the lowest among the exponents, for half precision. */
static uint16_t special_half(Type t, uint64_t *state) {
  static const uint16_t f16[] = {0x7e00, 0xfe00, 0x7c00, 0xfc00, 0x0000, 0x8000, 0x0001, 0x83ff};
  static const uint16_t bf16[] = {0x7fc0, 0xffc0, 0x7f80, 0xff80, 0x0000, 0x8000, 0x0001, 0x807f};
  size_t i = (size_t)(random_unit(state) * COUNT(f16));
  return t == T_F16 ? f16[i] : bf16[i];
}

static void make_special(const Run *r, Type t, void *data, int64_t i, uint64_t *state) {
  if (!r->special || !type_is_float(t) || random_unit(state) * r->special >= 1) return;
  if (t == T_F16 || t == T_BF16) ((uint16_t *)data)[i] = special_half(t, state);
  else set_element(t, data, i, special_float(state));
}

static void make_inputs(Run *r, const Graph *g) {
  uint64_t state = UINT64_C(0x2545f4914f6cdd1d);
  r->input = alloc_n(r->cx, (size_t)g->n_input + 1, sizeof *r->input);
  for (int i = 0; i < g->n_input; i++) {
    const Value *v = g->input[i];
    if (r->elements) {
      r->input[i] = r->elements[i];
      continue;
    }
    bool all_set = r->lo < r->hi, is_float = v->type == T_F32 || v->type == T_F64;
    double lo = all_set ? r->lo : is_float ? -2 : 1, hi = all_set ? r->hi : is_float ? 2 : 10;
    char *data = alloc(r->cx, value_bytes(v));
    int64_t n = shape_count(&v->shape);
    for (int64_t k = 0; k < n; k++) {
      if (r->given) {
        set_element(v->type, data, k, r->given[i][k]);
        continue;
      }
      double x = lo + (hi - lo) * random_unit(&state);
      set_element(v->type, data, k, is_float ? x : floor(x));
      make_special(r, v->type, data, k, &state);
    }
    r->input[i] = data;
  }
}

/* ==== comparison ==== */

static void check_some_finite(const Run *r, Type t, const void *got, int64_t n) {
  int64_t i = 0;
  while (i < n && !isfinite(element(t, got, i))) i++;
  if (i == n) fail_msg("nothing is finite\n%s", r->text);
}

static void compare(const Run *r, const Graph *g, int output, const void *got, int tasks) {
  const Value *v = g->output[output];
  const void *expected = r->expected[output];
  int64_t n = shape_count(&v->shape);
  bool is_float = v->type == T_F32 || v->type == T_F64;
  double largest = 0;
  if (r->spreads) check_some_finite(r, v->type, got, n);
  for (int64_t i = 0; i < n; i++) {
    double x = fabs(element(v->type, expected, i));
    if (isfinite(x) && x > largest) largest = x;
  }
  for (int64_t i = 0; i < n; i++) {
    double x = element(v->type, expected, i), y = element(v->type, got, i);
    bool same = x == y || (isnan(x) && isnan(y)) || (is_float && fabs(x - y) <= r->tolerance * largest);
    if (r->spreads && !isfinite(y)) same = true;
    if (r->signs && x == 0 && y == 0 && signbit(x) != signbit(y)) same = false;
    if (!same) {
      fail_msg("output %d [%lld]: %.9g, expected %.9g (largest %g, cpu %s, %d tasks)\n%s", output,
               (long long)i, y, x, largest, r->cpu ? r->cpu : "host", tasks, r->text);
    }
  }
}

static bool same_number(double x, double y) {
  if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
  if (x == 0 && y == 0) return signbit(x) == signbit(y);
  return x == y || fabs(x - y) <= 1e-6 * fabs(x) + 0x1p-149;
}

/* What the evaluator has against what the caller wants. */
static void check_wanted(const Run *r, const Graph *g) {
  const Value *v = g->output[0];
  if (shape_count(&v->shape) != r->n_want) fail_msg("%d results are wanted\n%s", r->n_want, r->text);
  for (int i = 0; i < r->n_want; i++) {
    double x = element(v->type, r->expected[0], i);
    if (!same_number(x, r->want[i])) fail_msg("[%d] evaluates to %.9g, not %.9g\n%s", i, x, r->want[i], r->text);
  }
}

/* ==== runs ==== */

static void run_model(const Run *r, const rcc_model *m, const Graph *g, int tasks) {
  rcc_parallel lent = {.threads = tasks, .run = run_backwards};
  Guarded *in = alloc_n(r->cx, (size_t)g->n_input + 1, sizeof *in);
  Guarded *out = alloc_n(r->cx, (size_t)g->n_output, sizeof *out);
  const void **inputs = alloc_n(r->cx, (size_t)g->n_input + 1, sizeof *inputs);
  void **outputs = alloc_n(r->cx, (size_t)g->n_output, sizeof *outputs);
  for (int i = 0; i < g->n_input; i++) {
    in[i] = guarded_new(value_bytes(g->input[i]), 1, true);
    inputs[i] = memcpy(in[i].data, r->input[i], in[i].size);
  }
  for (int i = 0; i < g->n_output; i++) {
    out[i] = guarded_new(value_bytes(g->output[i]), 1, true);
    outputs[i] = out[i].data;
  }
  size_t size = m->workspace_size(1, tasks);
  Guarded work = guarded_new(size, 64, true);
  int error = m->run(inputs, outputs, 1, work.data, size, tasks > 1 ? &lent : NULL);
  if (error) fail_msg("run: %s\n%s", rcc_strerror(error), r->text);
  for (int i = 0; i < g->n_output; i++) compare(r, g, i, outputs[i], tasks);
  for (int i = 0; i < g->n_input; i++) assert_memory_equal(inputs[i], r->input[i], in[i].size);
  free_intact(&work);
  for (int i = 0; i < g->n_input; i++) free_intact(&in[i]);
  for (int i = 0; i < g->n_output; i++) free_intact(&out[i]);
}

static Options options_for(const Run *r) {
  return (Options){.name = "kernel", .cpu = r->cpu, .max_memory = r->cx->max_memory, .verify = true,
                   .winograd = r->winograd, .strassen = r->strassen ? STRASSEN_ON : STRASSEN_AUTO, .strict = r->strict,
                   .small = r->small, .many_shapes = r->many_shapes};
}

static void compile_and_run(Run *r) {
  Options opt = options_for(r);
  Graph *g = text_parse(r->cx, &opt, r->text);
  Target *t = target_new(r->cx, &opt);
  if (r->wide) t->lanes = 16, t->regs = 32;
  Loaded l = load_graph(g, t);
  run_model(r, l.model, g, 1);
  run_model(r, l.model, g, 3);
  unload(&l);
}

/* The host's vectors, then the narrower ones that it has too, of which a build with sanitizers has one, and the shapes of the widest:
 * where the CPU lacks those vectors, LLVM splits them, and the tiles, layouts and masks are tested all the same. The host's once
 * more in the layout for graphs of many shapes. */
static void check_all_targets(Run *r) {
  static const struct { const char *cpu; int lanes; } narrower[] = {{"x86-64-v3", 8}, {"x86-64", 4}};
  Options opt = options_for(r);
  Graph *g = text_parse(r->cx, &opt, r->text);
  pass_shape(g);
  pass_quant(g); /* from here on integers are defined: they may differ by a step from the graph as it is written */
  make_inputs(r, g);
  r->expected = alloc_n(r->cx, (size_t)g->n_output, sizeof *r->expected);
  eval_graph(g, r->input, r->expected);
  if (r->want) check_wanted(r, g);
  compile_and_run(r);
  if (emulated_cpu()) return;
  int host_lanes = target_new(r->cx, &opt)->lanes;
  for (size_t i = SANITIZED; i < COUNT(narrower); i++) {
    r->cpu = narrower[i].cpu;
    if (narrower[i].lanes < host_lanes) compile_and_run(r);
  }
  r->cpu = NULL;
  r->many_shapes = true;
  compile_and_run(r);
  r->many_shapes = false;
  r->wide = host_lanes < 16;
  if (r->wide) compile_and_run(r);
}

/* 16 lanes and 8, with vpdpbusd and without it. */
static void check_more_targets(Run *r) {
  static const char *const cpus[] = {"alderlake", "skylake-avx512", "icelake-server"};
  Options opt = options_for(r);
  uint64_t host = target_new(r->cx, &opt)->cpu_bits;
  for (size_t i = 0; i < (SANITIZED ? 1 : COUNT(cpus)); i++) {
    r->cpu = opt.cpu = cpus[i];
    if ((target_new(r->cx, &opt)->cpu_bits & ~host) == 0) compile_and_run(r);
  }
}

/* `r` holds what the caller wants other than the usual. */
static void check(Run r) {
  Context cx = {.file = "kernel", .max_memory = 1 << 30, .arena = arena_new(1 << 30)};
  if (setjmp(cx.unwind)) fail_msg("%s\n%s", cx.error, r.text);
  r.cx = &cx;
  check_all_targets(&r);
  if (r.integers && !emulated_cpu()) check_more_targets(&r);
  arena_free(cx.arena);
}

void check_kernel_in(const char *graph, double tolerance, double lo, double hi) {
  check((Run){.text = graph, .tolerance = tolerance, .lo = lo, .hi = hi});
}

void check_integers(const char *graph, double lo, double hi) {
  check((Run){.text = graph, .lo = lo, .hi = hi, .integers = true});
}

void check_integer_winograd(const char *graph, double lo, double hi) {
  check((Run){.text = graph, .lo = lo, .hi = hi, .integers = true, .winograd = WINOGRAD_4});
}

void check_kernel(const char *graph, double tolerance) {
  check((Run){.text = graph, .tolerance = tolerance});
}

void check_special(const char *graph, double tolerance, bool signs) {
  check((Run){.text = graph, .tolerance = tolerance, .special = 3, .signs = signs});
  check((Run){.text = graph, .tolerance = tolerance, .special = 40, .signs = signs});
}

void check_values(const char *graph, const double *const *inputs, const double *output, int n) {
  check((Run){.text = graph, .tolerance = 1e-6, .signs = true, .given = inputs, .want = output, .n_want = n});
}

void check_strict(const char *graph, double tolerance) {
  check((Run){.text = graph, .tolerance = tolerance, .special = 600, .strict = true});
  check((Run){.text = graph, .tolerance = tolerance, .special = 20, .strict = true});
}

void check_signs(const char *graph, double tolerance) {
  check((Run){.text = graph, .tolerance = tolerance, .special = 3, .signs = true, .strict = true});
}

void check_spread(const char *graph, double tolerance) {
  const Run r = {.text = graph, .tolerance = tolerance, .special = 3000, .spreads = true, .strassen = true};
  Run other = r;
  check(r);
  other.winograd = WINOGRAD_4;
  check(other);
  other.winograd = WINOGRAD_2;
  check(other);
}

void check_winograd(const char *graph, double tolerance) {
  check((Run){.text = graph, .tolerance = tolerance, .winograd = WINOGRAD_4});
  check((Run){.text = graph, .tolerance = tolerance, .winograd = WINOGRAD_2});
}

void check_small(const char *graph, double tolerance) {
  check((Run){.text = graph, .tolerance = tolerance, .small = true});
}

void check_strassen(const char *graph, double tolerance) {
  check((Run){.text = graph, .tolerance = tolerance, .strassen = true});
}

static void check_run(const OpCase *c, const char *name) {
  static const struct { const char *name; void (*check)(const char *graph, double tolerance); } kinds[] = {
    {"strict", check_strict}, {"strict_signs", check_signs}, {"winograd", check_winograd}, {"strassen", check_strassen},
    {"spread", check_spread}, {"small", check_small},
  };
  for (size_t i = 0; i < COUNT(kinds); i++) {
    if (strcmp(kinds[i].name, name) == 0) {
      kinds[i].check(c->text, c->tolerance);
      return;
    }
  }
  if (strcmp(name, "kernel") == 0) check_kernel_in(c->text, c->tolerance, c->lo, c->hi);
  else if (strcmp(name, "special") == 0) check_special(c->text, c->tolerance, false);
  else if (strcmp(name, "signs") == 0) check_special(c->text, c->tolerance, true);
  else fail_msg("%s: no kind of run is called %s\n%s", c->path, name, c->text);
}

void check_case(const OpCase *c) {
  if (c->n_run && strcmp(c->run[0], "none") == 0) return;
  if (c->n_given) check((Run){.text = c->text, .tolerance = c->tolerance, .elements = c->given, .signs = true});
  else if (c->n_run == 0) check_run(c, "kernel");
  for (int i = 0; i < c->n_run; i++) check_run(c, c->run[i]);
}

void check_conv(Check *run, const ConvCase *k, const char *rest, double tolerance) {
  char text[4096];
  snprintf(text, sizeof text,
           "graph conv\ninput x f32 [%d,%d,%d,%d]\nconst w f32 [%d,%d,%d,%d] = random 3 -0.5 0.5\n"
           "const b f32 [%d] = random 4 -1 1\n"
           "y = Conv(x, w, b) pads=[%d,%d,%d,%d] strides=[%d,%d] dilations=[%d,%d] group=%d\n%s",
           k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, k->oc, k->top, k->left, k->bottom,
           k->right, k->sh, k->sw, k->dh, k->dw, k->group, rest);
  run(text, tolerance);
}

void check_convs(Check *run, const ConvCase *k, size_t count, const char *rest, double tolerance) {
  for (size_t i = 0; i < count; i++) check_conv(run, &k[i], rest, tolerance);
}

void check_conv_integer(const ConvCase *k, int zx, const char *zero, const char *steps, double most) {
  char text[4096], z[128] = "";
  if (zero) snprintf(z, sizeof z, "const z i8 %s\n", zero);
  snprintf(text, sizeof text,
           "graph conv\ninput x u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random 3 -128 128\nconst u u8 [] = {%d}\n%s"
           "const b i32 [%d,1,1] = random 5 -9000 9000\nconst m f32 [%d,1,1] = random 7 0.0005 %g\n"
           "y = ConvInteger(x, w, u, %s%s) pads=[%d,%d,%d,%d] strides=[%d,%d] dilations=[%d,%d] group=%d %s\noutput y\n",
           k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, zx, z, k->oc, k->oc, most, zero ? "z" : "_",
           *steps ? ", b, m" : "", k->top, k->left, k->bottom, k->right, k->sh, k->sw, k->dh, k->dw, k->group, steps);
  check_integers(text, 0, 256);
}
