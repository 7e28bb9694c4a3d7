/* text_test.c: the report as text: a line for every buffer, and for every operator of a quantised network in fp32. */
#include "fixture.h"
#include "loaded.h"

#include <stdlib.h>

/* With a residual that its sum is written over. */
static const char residuals[] = "graph g\ninput x f32 [1,16,8,8]\nconst w f32 [16,16,1,1] = random 1 -1 1\n"
  "const u f32 [16,16,1,1] = random 2 -1 1\na = Conv(x, w)\nr = Relu(a)\nb = Conv(r, u)\ns = Add(b, r)\nt = Relu(s)\n"
  "c = Conv(t, w)\nd = Conv(c, u)\ne = Add(d, t)\nf = Conv(e, w)\noutput f\n";

static void report_names_every_buffer(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Options options = {.name = "test", .cpu = "x86-64-v3", .max_memory = 1 << 30, .verify = true};
  const Build *b = build_of(text_parse(cx, &options, residuals), NULL);
  const Graph *g = b->graph;
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  print_buffers(report_new(b), f);
  fclose(f);
  const char *head = format_text(
    cx, "weights %lld bytes, workspace %lld bytes, scratch %lld bytes a thread\n",
    (long long)b->weights_size, (long long)b->work_size, (long long)b->scratch_size);
  assert_memory_equal(text, head, strlen(head));
  int lines = 0, expected = 2;
  for (const char *s = text; *s; s++) lines += *s == '\n';
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (v->place == P_NONE || v->place == P_CONST) continue;
    expected++;
    const char *end = v->alias ? format_text(cx, " %s = %s\n", v->name, v->alias->name)
                               : format_text(cx, " %s\n", v->name);
    if (!strstr(text, end)) fail_msg("no line for %s:\n%s", v->name, text);
  }
  assert_int_equal(lines, expected);
  assert_non_null(strstr(text, " e = t\n"));
  free(text);
  context_free(cx);
}

static const char quantized[] = "graph q\ninput x u8 [1,8,4,4]\nconst w i8 [8,8,1,1] = random 1 -128 128\nconst s f32 [] = {0.02}\n"
  "xf = DequantizeLinear(x, s)\nwf = DequantizeLinear(w, s)\na = Conv(xf, wf)\nb = Sin(a)\ny = QuantizeLinear(b, s)\noutput y\n";

/* Convolutions of integers have an algorithm and the text of a window, too. */
static void layers_of_integers(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Options options = {.name = "test", .cpu = "x86-64-v3", .max_memory = 1 << 30};
  const Report *r = report_new(build_of(text_parse(cx, &options, quantized), NULL));
  int found = 0;
  for (int i = 0; i < r->n_layer; i++) {
    if (strcmp(r->layer[i].op, "ConvInteger") != 0) continue;
    found++;
    assert_string_equal(r->layer[i].what, "1x1/1 8->8 @4x4");
    assert_string_not_equal(r->layer[i].algorithm, "");
  }
  assert_int_equal(found, 1);
  context_free(cx);
}

static void candidates_name_what_stays_in_fp32(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Options options = {.name = "test", .cpu = "x86-64-v3", .max_memory = 1 << 30};
  const Build *b = build_of(text_parse(cx, &options, quantized), NULL);
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  print_candidates(report_new(b), f);
  fclose(f);
  const char *end = strstr(text, "\nin fp32 ");
  if (!end || !strstr(end, "because") || !strstr(end, "Sin  ") || !strstr(end, "the input is not quantised"))
    fail_msg("Sin is not named:\n%s", text);
  free(text);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(report_names_every_buffer), cmocka_unit_test(layers_of_integers),
                                     cmocka_unit_test(candidates_name_what_stays_in_fp32)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
