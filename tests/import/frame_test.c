/* frame_test.c: what --input makes of a model: the numbers that it gets of a picture, from NumPy and torch; what is refused. */
#include "words.h"

enum { MOST_BYTES = 64 };

/* Element i of the program's picture is i * 37 % 256. The evaluator and the object must make `want` of it. */
static void check_input(const char *words, const char *lines, const char *shape, int n, const float *want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  uint8_t bytes[MOST_BYTES];
  float floats[MOST_BYTES], got[MOST_RESULTS];
  for (int i = 0; i < MOST_BYTES; i++) floats[i] = bytes[i] = (uint8_t)(i * 37 % 256);
  const WordsOption option = {"--input", words};
  Graph *g = worded(cx, lines, 1, &option);
  assert_string_equal(shape_text(cx, &g->input[0]->shape), shape);
  assert_true(shape_count(&g->input[0]->shape) <= MOST_BYTES);
  const void *in[] = {g->input[0]->type == T_U8 ? (const void *)bytes : floats};
  pass_shape(g);
  expect_numbers(words, evaluated(g, in)[0], want, n);
  run_graph_once(worded(cx, lines, 1, &option), in, (void *[]){got});
  expect_numbers(words, got, want, n);
  context_free(cx);
}

static const char colour[] = "input x 1 1,3,2,2\noutput y 0 -\ny = Identity(x)\n", gray[] = "input x 1 1,1,2,2\noutput y 0 -\ny = Identity(x)\n";

#define CHECK(words, lines, shape, ...) \
  check_input(words, lines, shape, (int)COUNT(((float[]){__VA_ARGS__})), (float[]){__VA_ARGS__})

static void bytes_become_what_the_model_takes(void **state) {
  (void)state;
  static const char *const elements[] = {"u8,nhwc,torchvision", "f32,nhwc,torchvision"};
  for (size_t i = 0; i < COUNT(elements); i++)
    CHECK(elements[i], colour, "[1,2,2,3]", -2.11790395f, -0.217056304f, 1.6837914f, -0.799297929f, -1.38795519f,
          0.55532217f, -1.98319328f, -0.0399159454f, -0.514684081f, 1.41995645f, -1.10727668f, 0.827363849f);
  CHECK("u8", gray, "[1,1,2,2]", 0, 37, 74, 111);
  CHECK("x=u8,01", gray, "[1,1,2,2]", 0, 37 / 255.f, 74 / 255.f, 111 / 255.f);
  CHECK("mean=1.5,std=0.5", gray, "[1,1,2,2]", -3, 71, 145, 219);
  CHECK("u8,std=2", "input x 1 1,4\noutput y 0 -\ny = Identity(x)\n", "[1,4]", 0, 18.5f, 37, 55.5f);
}

static void colours_are_ordered(void **state) {
  (void)state;
  CHECK("u8,nhwc,caffe", colour, "[1,2,2,3]", -29.939003f, 81.060997f, -63.939003f, 47.060997f, -79.7789993f, 31.2210007f,
        -113.778999f, -2.77899933f, -123.68f, -12.6800003f, 98.3199997f, -46.6800003f);
  CHECK("u8,nhwc,bgr,caffe", colour, "[1,2,2,3]", -103.939003f, 7.06099701f, 118.060997f, -26.939003f, -79.7789993f, 31.2210007f,
        -113.778999f, -2.77899933f, -49.6800003f, 61.3199997f, -83.6800003f, 27.3199997f);
  CHECK("u8,nhwc,bgra,torchvision", colour, "[1,2,2,4]", -0.850672185f, 1.6837914f, -0.165682048f, -2.01515555f, -1.38795519f,
        1.20308125f, -0.687675059f, 1.90336144f, -1.80444443f, 0.77507627f, -1.10727668f, 1.47224402f);
  CHECK("u8,nhwc,rgba,01", colour, "[1,2,2,4]", 0, 0.580392182f, 0.156862751f, 0.737254918f, 0.145098045f, 0.725490212f,
        0.301960796f, 0.882352948f, 0.290196091f, 0.870588243f, 0.447058827f, 0.0235294122f);
  CHECK("u8,nhwc,gray,tf", colour, "[1,2,2,1]", -1, -0.709803939f, -0.419607848f, -0.129411772f, -1, -0.709803939f, -0.419607848f,
        -0.129411772f, -1, -0.709803939f, -0.419607848f, -0.129411772f);
}

static void rows_have_strides(void **state) {
  (void)state;
  CHECK("u8,nhwc,tf,stride=8", colour, "[1,2,8]", -1, -0.129411772f, -0.686274529f, 0.184313729f, -0.709803939f, 0.160784319f,
        -0.396078438f, 0.474509805f, -0.419607848f, 0.450980395f, -0.105882354f, 0.764705896f);
  CHECK("u8,nhwc,tf,stride=9", colour, "[1,2,3,3]", -1, -0.129411772f, -0.396078438f, 0.474509805f, -0.709803939f, 0.160784319f,
        -0.105882354f, 0.764705896f, -0.419607848f, 0.450980395f, 0.184313729f, -0.952941179f);
  CHECK("u8,nchw,stride=4,mean=10/20/30,std=2/4/8", colour, "[1,3,2,4]", -5, 13.5f, 69, 87.5f, 5, 14.25f, 42, 51.25f, 6.25f, 10.875f,
        24.75f, -2.625f);
}

static void other_sizes_are_resized(void **state) {
  (void)state;
  CHECK("u8,nhwc,01,size=6x4", gray, "[1,4,6,1]", 0.283333331f, 0.44887957f, 0.557843149f, 0.293137252f);
  CHECK("u8,nhwc,01,size=6x4,filter=bilinear", gray, "[1,4,6,1]", 0.0784313753f, 0.513725519f, 0.815686285f, 0.247058824f);
  CHECK("u8,nhwc,01,size=6x4,fit=crop", gray, "[1,4,6,1]", 0.214965984f, 0.381512612f, 0.497158885f, 0.233453378f);
  CHECK("u8,nhwc,01,size=6x4,fit=pad", gray, "[1,4,6,1]", 0.420588225f, 0.370261431f, 0, 0);
}

static void axes_of_the_model_are_kept(void **state) {
  (void)state;
  const char *last = "input x 1 1,2,2,3\noutput y 0 -\ny = Identity(x)\n";
  CHECK("u8,01", last, "[1,2,2,3]", 0, 37 / 255.f, 74 / 255.f, 111 / 255.f, 148 / 255.f, 185 / 255.f, 222 / 255.f, 3 / 255.f, 40 / 255.f,
        77 / 255.f, 114 / 255.f, 151 / 255.f);
  CHECK("u8,bgr,01", last, "[1,2,2,3]", 74 / 255.f, 37 / 255.f, 0, 185 / 255.f, 148 / 255.f, 111 / 255.f, 40 / 255.f, 3 / 255.f,
        222 / 255.f, 151 / 255.f, 114 / 255.f, 77 / 255.f);
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  const char *two = "input a 1 1,3,2,2\ninput b 1 1,3,2,2\noutput y 0 -\ny = Add(a, b)\n";
  const char *list = "input x 1 1,10\noutput y 0 -\ny = Relu(x)\n", *whole = "input x 6 1,3,2,2\noutput y 0 -\ny = Identity(x)\n";
  check_words_refused(two, "--input", "u8", "the model has 2; write --input=NAME=..., NAME being \"a\", \"b\"");
  check_words_refused(colour, "--input", "z=u8", "'z=u8' is no word of --input, nor a name before '=' that of an input");
  check_words_refused(colour, "--input", "u8,,nhwc", "a word is empty");
  check_words_refused(colour, "--input", "u8,f32", "'f32' says again what another word says");
  check_words_refused(colour, "--input", "tf,std=3", "'std=3' says again what another word says");
  check_words_refused(colour, "--input", "std=1/0/1", "'std=1/0/1': a number is not greater than 0");
  check_words_refused(colour, "--input", "mean=a", "'mean=a' needs a number, or one for each channel as in 1/2/3");
  check_words_refused(colour, "--input", "size=640", "'size=640' needs a width and a height as in 640x480");
  check_words_refused(colour, "--input", "fit=crop", "fit and filter need a size");
  check_words_refused(colour, "--input", "u8,nhwc,stride=5", "stride=5: a row has 6 bytes");
  check_words_refused(gray, "--input", "rgb", "input \"x\" has 1 channels; colours are said of 3, and gray of 1");
  check_words_refused(gray, "--input", "torchvision", "input \"x\" has 1 channels; mean and std have one number, or one for each");
  check_words_refused(list, "--input", "nhwc",
                      "input \"x\" is [1,10], no picture: only u8, f32, 01, tf and a single mean and std can be said of it");
  check_words_refused(whole, "--input", "u8,01", "input \"x\" is i32, not of floats: it has no mean, std and size");
}

static void the_batch_stays_symbolic(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = worded(cx, "input x 1 N,3,2,2\noutput y 0 -\ny = Relu(x)\n", 1, &(WordsOption){"--input", "u8,nhwc,stride=8,gray,torchvision"});
  const char *text = shape_text(cx, &g->input[0]->shape);
  front_run(g, NULL, NULL);
  assert_string_equal(text, "[N,2,8,1]");
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(bytes_become_what_the_model_takes),
    cmocka_unit_test(colours_are_ordered),
    cmocka_unit_test(rows_have_strides),
    cmocka_unit_test(other_sizes_are_resized),
    cmocka_unit_test(axes_of_the_model_are_kept),
    cmocka_unit_test(what_cannot_be_is_refused),
    cmocka_unit_test(the_batch_stays_symbolic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
