/* The polynomials and conversions of math.c against libm in higher precision, over all binades, with and
 * without FMA, as vectors and one by one. */
#include "emit.h"
#include "fixture.h"
#include "resnetcc_rt.h"

#include <llvm-c/Core.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef Ref (*Maker)(Emit *e, Ref x);
typedef void (*Compiled)(const void *in, void *out, int64_t n);

typedef struct Machine {
  Emit e;
  Context *cx;
  LLVMExecutionEngineRef engine;
} Machine;

static void set_attribute(Emit *e, const char *name, const char *value) {
  unsigned n = (unsigned)strlen(name), m = (unsigned)strlen(value);
  LLVMAttributeRef a = LLVMCreateStringAttribute(e->c, name, n, value, m);
  LLVMAddAttributeAtIndex(e->fn, LLVMAttributeFunctionIndex, a);
}

/* Tables are named after a graph. */
static void fill_emit(Machine *m, const Target *t) {
  static const Options options = {.name = "math", .max_memory = 1 << 30};
  LLVMContextRef c = LLVMContextCreate();
  Emit *e = &m->e;
  m->cx = context_new();
  *e = (Emit){.g = graph_new(m->cx, &options), .t = t, .lanes = t->lanes, .c = c};
  e->g->name = "math";
  e->m = LLVMModuleCreateWithNameInContext("math", c);
  e->b = LLVMCreateBuilderInContext(c);
  e->void_ = LLVMVoidTypeInContext(c);
  e->i1 = LLVMInt1TypeInContext(c);
  e->i8 = LLVMInt8TypeInContext(c);
  e->i16 = LLVMInt16TypeInContext(c);
  e->i32 = LLVMInt32TypeInContext(c);
  e->i64 = LLVMInt64TypeInContext(c);
  e->f32 = LLVMFloatTypeInContext(c);
  e->f64 = LLVMDoubleTypeInContext(c);
  e->ptr = LLVMPointerTypeInContext(c, 0);
  e->vec = LLVMVectorType(e->f32, (unsigned)t->lanes);
}

static void *compile_module(Machine *m) {
  char *message = NULL;
  LLVMLinkInMCJIT();
  assert_int_equal(LLVMInitializeNativeTarget(), 0);
  assert_int_equal(LLVMInitializeNativeAsmPrinter(), 0);
  char *cpu = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures();
  set_attribute(&m->e, "target-cpu", cpu);
  set_attribute(&m->e, "target-features", features);
  LLVMDisposeMessage(cpu);
  LLVMDisposeMessage(features);
  if (LLVMCreateMCJITCompilerForModule(&m->engine, m->e.m, NULL, 0, &message)) fail_msg("%s", message);
  return (void *)(uintptr_t)LLVMGetFunctionAddress(m->engine, "f");
}

/* f(in, out, n): out[i] = build(in[i]), `lanes` at a time; n is a multiple of them. */
static Compiled machine_open(Machine *m, const Target *t, Maker build, Type from, Type to, int lanes) {
  Emit *e = &m->e;
  fill_emit(m, t);
  LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64};
  e->fn = LLVMAddFunction(e->m, "f", LLVMFunctionType(e->void_, params, 3, 0));
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, e->fn, ""));
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), LLVMGetParam(e->fn, 2), lanes, 0, NULL);
  Ref in = gep(e, LLVMGetParam(e->fn, 0), l.i, (int64_t)type_size(from));
  Ref out = gep(e, LLVMGetParam(e->fn, 1), l.i, (int64_t)type_size(to));
  store(e, build(e, load(e, vec_of(llvm_type(e, from), lanes), in, 0, 1)), out, 0, 1);
  loop_end(e, &l);
  LLVMBuildRetVoid(e->b);
  return (Compiled)(uintptr_t)compile_module(m);
}

static void machine_close(Machine *m) {
  LLVMDisposeBuilder(m->e.b);
  LLVMDisposeExecutionEngine(m->engine);
  LLVMContextDispose(m->e.c);
  context_free(m->cx);
}

/* ==== accuracy ==== */

#define BUILDER(name, operator) \
  static Ref build_##name(Emit *e, Ref x) { return math_step(e, &(Step){.op = OP_##operator, .arg = -1, .a = 1}, x, NULL); }

BUILDER(sigmoid, Sigmoid)
BUILDER(tanh, Tanh)
BUILDER(elu, Elu)
BUILDER(softplus, Softplus)
BUILDER(mish, Mish)
BUILDER(swish, Swish)
BUILDER(floor, Floor)
BUILDER(round, Round)

static Ref build_cube_root(Emit *e, Ref x) { return math_pow(e, x, real_like(e, x, 1.0 / 3)); }
static Ref build_exp10(Emit *e, Ref x) { return math_pow(e, real_like(e, x, 10), x); }

static long double exact_elu(long double x) { return x < 0 ? expm1l(x) : x; }

static long double exact_sigmoid(long double x) { return 1 / (1 + expl(-x)); }

/* Below -11355 exp(x) is 0 in long double. */
static long double exact_softplus(long double x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
static long double exact_swish(long double x) { return x / (1 + expl(-x)); }
static long double exact_cube_root(long double x) { return powl(x, (long double)(1.f / 3)); }
static long double exact_exp10(long double x) { return powl(10, x); }

static long double exact_mish(long double x) {
  long double y = expl(x < 60 ? x : 60), n = y * (y + 2);
  return x * (n / (n + 2));
}

typedef struct Function {
  const char *name;
  Maker build;
  long double (*exact)(long double);
  double ulp;            /* of error ... */
  bool multiplies;       /* ... but where the result is tiny, as a factor of it is subnormal */
} Function;

static const Function functions[] = {
  {"exp", math_exp, expl, 2, false}, {"tanh", build_tanh, tanhl, 2, false}, {"sigmoid", build_sigmoid, exact_sigmoid, 2.1, false},
  {"log", math_log, logl, 2, false}, {"elu", build_elu, exact_elu, 2, false}, {"erf", math_erf, erfl, 6, false},
  {"softplus", build_softplus, exact_softplus, 3, false},
  {"mish", build_mish, exact_mish, 5, true}, {"swish", build_swish, exact_swish, 3, true}, {"x^(1/3)", build_cube_root, exact_cube_root, 1, false},
  {"10^x", build_exp10, exact_exp10, 1, false}, {"floor", build_floor, floorl, 0, false}, {"round", build_round, rintl, 0, false},
  {"sin", math_sin, sinl, 1, false}, {"cos", math_cos, cosl, 1, false}, {"tan", math_tan, tanl, 1, false}, {"asin", math_asin, asinl, 1, false},
  {"acos", math_acos, acosl, 1, false}, {"atan", math_atan, atanl, 1, false}, {"sinh", math_sinh, sinhl, 1, false}, {"cosh", math_cosh, coshl, 1, false},
  {"asinh", math_asinh, asinhl, 1, false}, {"acosh", math_acosh, acoshl, 1, false}, {"atanh", math_atanh, atanhl, 1, false},
};

/* The last one has instructions that not every machine has. */
static const Target targets[] = {{.lanes = 8, .fma = true}, {.lanes = 8, .fma = false}, {.lanes = 16, .fma = true, .cpu_bits = RCC_CPU_AVX512F}};

static bool divides_by_estimate(const Function *f) {
  return f->exact == exact_sigmoid || f->exact == exact_swish || f->exact == tanhl;
}

static size_t target_count(void) { return rcc_cpu_check(RCC_CPU_AVX512F) == 0 ? COUNT(targets) : COUNT(targets) - 1; }

/* The distance of two results in units of the last place of the exact one. Past the format's range,
 * infinity. */
static double error_in_ulp(float got, long double exact) {
  if (isnan(exact)) return isnan(got) ? 0 : 1e9;
  if (isinf(got)) return fabsl(exact) > FLT_MAX && (got > 0) == (exact > 0) ? 0 : 1e9;
  if (isnan(got) || isinf(exact)) return 1e9;
  int exponent = fabsl(exact) >= FLT_MIN ? ilogbl(exact) : FLT_MIN_EXP - 1;
  return (double)ldexpl(fabsl(got - exact), FLT_MANT_DIG - 1 - exponent);
}

/* Every 4099th bit pattern of all, and those about the ends of the range. */
static size_t sample_floats(float **out) {
  size_t n = 0, cap = (size_t)1 << 21;
  float *x = malloc(cap * sizeof *x);
  assert_non_null(x);
  for (uint64_t i = 0; i <= UINT32_MAX; i += 4099) {
    uint32_t bits = (uint32_t)i;
    memcpy(&x[n++], &bits, 4);
  }
  static const float special[] = {0.f, -0.f, 1.f, -1.f, 88.72283f, 88.72284f, -87.33655f, -103.97f, -103.98f,
                                  9.01f, 1e-45f, FLT_MIN, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY};
  memcpy(x + n, special, sizeof special);
  n += COUNT(special);
  while (n % 16 != 0) x[n++] = 0.5f;
  *out = x;
  return n;
}

static double worst_of_floats(const Function *f, const Target *t, const float *x, size_t n, float *at) {
  Machine m;
  float *y = malloc(n * sizeof *y);
  assert_non_null(y);
  machine_open(&m, t, f->build, T_F32, T_F32, t->lanes)(x, y, (int64_t)n);
  double worst = 0;
  for (size_t i = 0; i < n; i++) {
    double error = error_in_ulp(y[i], f->exact(x[i]));
    if (f->multiplies && fabsf(y[i]) < 256 * FLT_MIN && error < 256) continue;
    if (error > worst) worst = error, *at = x[i];
  }
  free(y);
  machine_close(&m);
  return worst;
}

static void functions_of_f32_are_within_a_few_ulp(void **state) {
  (void)state;
  float *x;
  size_t n = sample_floats(&x);
  for (size_t t = 0; t < target_count(); t++) {
    for (size_t i = 0; i < COUNT(functions); i++) {
      float at = 0;
      if (t == 2 && !divides_by_estimate(&functions[i])) continue;
      double worst = worst_of_floats(&functions[i], &targets[t], x, n, &at);
      if (worst > functions[i].ulp) fail_msg("%s(%a), fma %d: %.2f ulp", functions[i].name, (double)at, targets[t].fma, worst);
    }
  }
  free(x);
}

static void check_one_by_one(const Function *f, const Target *t) {
  static const float x[16] = {-3, -0.f, 1e-40f, 0.3f, 1, 20, INFINITY, -INFINITY, -1.7f, 2.3f, -90, 5.1f, -0.4f, 0.7f, -11, 8};
  Machine one, many;
  float y1[16], yn[16];
  machine_open(&one, t, f->build, T_F32, T_F32, 1)(x, y1, 16);
  machine_open(&many, t, f->build, T_F32, T_F32, t->lanes)(x, yn, 16);
  for (int k = 0; k < 16; k++) assert_true(y1[k] == yn[k] || (isnan(y1[k]) && isnan(yn[k])));
  machine_close(&one);
  machine_close(&many);
}

static void one_by_one_is_the_same_as_a_vector(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(functions); i++) {
    check_one_by_one(&functions[i], &targets[0]);
    check_one_by_one(&functions[i], &targets[target_count() - 1]);
  }
}

static const Step *step_under_test;

static Ref build_step(Emit *e, Ref x) { return math_step(e, step_under_test, x, NULL); }

static void operators_agree_with_the_evaluator_on_special_values(void **state) {
  (void)state;
  static const float x[8] = {NAN, INFINITY, -INFINITY, -0.f, FLT_MAX, -FLT_MAX, 0.5f, -0.5f};
  static const Step steps[] = {
    {.op = OP_Relu}, {.op = OP_LeakyRelu, .a = 0.5f}, {.op = OP_Clip, .a = -1, .b = 1},
    {.op = OP_Clip, .a = -INFINITY, .b = 6}, {.op = OP_HardSigmoid, .a = 0.25f, .b = 0.5f},
    {.op = OP_HardSwish},
  };
  for (size_t i = 0; i < COUNT(steps); i++) {
    Machine m;
    float got[8], expected[8];
    step_under_test = &steps[i];
    machine_open(&m, &targets[0], build_step, T_F32, T_F32, 8)(x, got, 8);
    for (int k = 0; k < 8; k++) expected[k] = (float)step_number(&steps[i], T_F32, (Number){x[k]}, (Number){0}).f;
    for (int k = 0; k < 8; k++) {
      bool same = got[k] == expected[k] || (isnan(got[k]) && isnan(expected[k]));
      if (same) continue;
      fail_msg("step %zu of %g: %.9g, expected %.9g", i, (double)x[k], (double)got[k], (double)expected[k]);
    }
    machine_close(&m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(functions_of_f32_are_within_a_few_ulp),
    cmocka_unit_test(one_by_one_is_the_same_as_a_vector),
    cmocka_unit_test(operators_agree_with_the_evaluator_on_special_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
