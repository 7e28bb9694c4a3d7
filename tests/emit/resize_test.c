/* resize_test.c: Resize with scales, sizes and regions that are known at run time only, against the
 * evaluator; and such as contradict the declared result. */
#include "fixture.h"
#include "loaded.h"

enum { ELEMENTS = 48, MOST = 4096 };

typedef struct Case {
  const char *attributes;
  Shape declared;
  float roi[4], scales[2];
  int64_t sizes[2];      /* {0}: scales */
} Case;

static Graph *make_graph(Context *cx, const Options *opt, const Case *c) {
  bool sized = c->sizes[0] > 0;
  Graph *g = text_parse(cx, opt, format_text(cx,
                                             "input x f32 [1,2,4,6]\ninput r f32 [4]\n%s\n"
                                             "y = Resize(x, r, %s) axes=[2,3] %s\noutput y\n",
                                             sized ? "input s i64 [2]" : "input s f32 [2]",
                                                 sized ? "_, s" : "s", c->attributes));
  g->output[0]->shape = c->declared;
  return g;
}

static void run_compiled(Context *cx, const Case *c, const void *const *in, float *y) {
  Options opt = {.name = "resize", .max_memory = cx->max_memory, .verify = true};
  run_graph_once(make_graph(cx, &opt, c), in, (void *[]){y});
}

static void check(const Case *c, bool contradicts) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", c->attributes, cx->error);
  float x[ELEMENTS], y[MOST];
  for (int i = 0; i < ELEMENTS; i++) x[i] = (float)(i % 7) - (float)(i % 3);
  const void *in[] = {x, c->roi, c->sizes[0] ? (const void *)c->sizes : c->scales};
  run_compiled(cx, c, in, y);
  if (!contradicts) {
    void *want[1];
    Graph *g = make_graph(cx, NULL, c);
    pass_shape(g);
    eval_graph(g, in, want);
    for (int i = 0; i < shape_count(&c->declared); i++) {
      float w = ((const float *)want[0])[i], d = y[i] - w;
      if (!(d < 1e-5f && d > -1e-5f))
        fail_msg("%s\nelement %d is %g, not %g", c->attributes, i, (double)y[i], (double)w);
    }
  }
  context_free(cx);
}

#define UP {.rank = 4, .d = {1, 2, 9, 8}}
#define DOWN {.rank = 4, .d = {1, 2, 2, 3}}

static void coordinates_and_modes(void **state) {
  (void)state;
  static const char *const modes[] = {"nearest\"", "nearest\" nearest_mode=\"round_prefer_ceil",
                                      "nearest\" nearest_mode=\"floor",
                                      "nearest\" nearest_mode=\"ceil",
                                      "nearest\" nearest_mode=\"floor_or_ceil_by_scale", "linear",
                                      "cubic", "cubic\" exclude_outside=1 nearest_mode=\"ceil",
                                      "linear\" antialias=1 nearest_mode=\"ceil",
                                      "cubic\" antialias=1 exclude_outside=1 nearest_mode=\"ceil"};
  static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                            "align_corners", "asymmetric",
                                            "tf_half_pixel_for_nn"};
  static const float scale[2][2] = {{2.3f, 1.4f}, {0.6f, 0.55f}};
  for (size_t m = 0; m < COUNT(modes); m++) {
    for (size_t k = 0; k < COUNT(coordinates); k++) {
      for (int s = 0; s < 2; s++) {
        char text[256];
        const char *end = strchr(modes[m], '"') == modes[m] + strlen(modes[m]) - 1 ? "" : "\"";
        snprintf(text, sizeof text, "mode=\"%s%s coordinate_transformation_mode=\"%s\"", modes[m], end,
                 coordinates[k]);
        Case c = {.attributes = text, .declared = s ? (Shape)DOWN : (Shape)UP,
                  .scales = {scale[s][0], scale[s][1]}};
        check(&c, false);
      }
    }
  }
}

static void sizes_and_regions(void **state) {
  (void)state;
  static const Case row[] = {
    {"mode=\"linear\" keep_aspect_ratio_policy=\"not_larger\"", {.rank = 4, .d = {1, 2, 5, 8}},
     .sizes = {7, 8}},
    {"mode=\"cubic\" keep_aspect_ratio_policy=\"not_smaller\"", {.rank = 4, .d = {1, 2, 7, 11}},
     .sizes = {7, 8}},
    {"mode=\"linear\" coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value=7", UP,
     {0.1f, -0.2f, 0.8f, 1.3f},
     .sizes = {9, 8}},
    {"mode=\"nearest\" coordinate_transformation_mode=\"tf_crop_and_resize\"", DOWN, {0.1f, 0.2f, 0.8f, 0.9f},
     .sizes = {2, 3}},
    {"mode=\"linear\" coordinate_transformation_mode=\"tf_crop_and_resize\"", UP, {0, 0.2f, 1, 0.5f},
     .scales = {2.3f, 1.4f}},
  };
  for (size_t i = 0; i < COUNT(row); i++) check(&row[i], false);
}

/* They give some numbers, from the input or what is outside. */
static void contradictions(void **state) {
  (void)state;
  static const char *const modes[] = {"nearest", "linear", "cubic\" antialias=1 cubic_coeff_a=-0.5 "
                                                           "exclude_outside=1 nearest_mode=\"ceil"};
  static const float scale[] = {0, -1, 1e30f, 1e-30f, __builtin_inff(), __builtin_nanf("")};
  for (size_t m = 0; m < COUNT(modes); m++) {
    for (size_t s = 0; s < COUNT(scale); s++) {
      char text[256];
      snprintf(text, sizeof text, "mode=\"%s\" coordinate_transformation_mode=\"%s\"", modes[m],
               s % 2 ? "half_pixel" : "tf_crop_and_resize");
      Case c = {.attributes = text, .declared = UP, .roi = {scale[s], -1e30f, 1e30f, 2},
                .scales = {scale[s], scale[s]}};
      check(&c, true);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(coordinates_and_modes),
    cmocka_unit_test(sizes_and_regions),
    cmocka_unit_test(contradictions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
