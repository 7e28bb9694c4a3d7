/* sequence_test.c: sequences and optionals that only carry tensors from node to node. */
#include "onnx_writer.h"

static void tensors_through_a_sequence(void **state) {
  (void)state;
  check_import(13, "input x 1 2\ninput z 1 2\nconsti k = -1\noutput y 0 -\ns = SequenceConstruct(x, z)\n"
                   "a = SequenceAt(s, k)\ny = Relu(a)\n",
               "input x f32 [2]\ninput z f32 [2]\nconst k i64 [] = {-1}\ny = Relu(z)\noutput y\n");
}

static void inserted_erased_counted(void **state) {
  (void)state;
  check_import(13,
               "input x 1 2\ninput z 1 2\nconsti k = 0\noutput y 0 -\noutput n 7 -\n"
               "e = SequenceEmpty() dtype=1\ns = SequenceInsert(e, x)\n"
               "t = SequenceInsert(s, z, k)\nn = SequenceLength(t)\nu = SequenceErase(t, k)\n"
               "a = SequenceAt(u, k)\ny = Relu(a)\n",
               "input x f32 [2]\ninput z f32 [2]\nconst k i64 [] = {0}\nconst n.value i64 [] = {2}\n"
               "y = Relu(x)\nn = Identity(n.value) # i64 []\n"
               "output y\noutput n\n");
}

static void split_and_joined(void **state) {
  (void)state;
  check_import(13, "input x 1 N,3\nconsti k = 2\noutput y 0 -\ns = SplitToSequence(x, k) axis=1\n"
                   "y = ConcatFromSequence(s) axis=1\n",
               "input x f32 [N,3]\nconst k i64 [] = {2}\nconst s.sizes i64 [2] = {2, 1}\n"
               "s.part, s.part_1 = Split(x, s.sizes) axis=1\n"
               "y = Concat(s.part, s.part_1) axis=1\noutput y\n");
  check_import(13, "input x 1 2,1\noutput y 0 -\ns = SplitToSequence(x) axis=-1 keepdims=0\n"
                   "y = ConcatFromSequence(s) axis=0 new_axis=1\n",
               "input x f32 [2,1]\nconst s.sizes i64 [1] = {1}\nconst s.axis i64 [1] = {1}\n"
               "const y.axis i64 [1] = {0}\n"
               "s.part = Split(x, s.sizes) axis=1\ns.part_1 = Squeeze(s.part, s.axis)\n"
               "y.row = Unsqueeze(s.part_1, y.axis)\n"
               "y = Concat(y.row) axis=0\noutput y\n");
}

static void what_a_sequence_cannot_be(void **state) {
  (void)state;
  check_refused(13, "input x 1 2\noutput s 0 -\ns = SequenceConstruct(x)\n",
                "test: output \"s\" is a sequence, not a tensor");
  check_refused(13, "input x 1 2\noutput y 0 -\ns = SequenceConstruct(x)\ny = Relu(s)\n",
                "test: node \"y\" (Relu): its input \"s\" is a sequence of tensors");
  check_refused(13, "input x 1 2\nconsti k = 1\noutput y 0 -\ns = SequenceConstruct(x)\n"
                    "y = SequenceAt(s, k)\n",
                "test: node \"y\" (SequenceAt): position 1 lies outside");
  check_refused(13, "input x 1 2\ninput k 7 1\noutput y 0 -\ns = SequenceConstruct(x)\n"
                    "y = SequenceAt(s, k)\n",
                "test: node \"y\" (SequenceAt): the position must be one number that is known at compile "
                "time");
  check_refused(13, "input x 1 N,2\noutput y 0 -\ns = SplitToSequence(x)\ny = ConcatFromSequence(s) axis=0\n",
                "test: node \"s\" (SplitToSequence): splits the batch; fix the batch with --batch N");
  check_refused(13, "input x 1 2\nconsti k = 0\noutput y 0 -\ns = SplitToSequence(x, k)\n"
                    "y = ConcatFromSequence(s) axis=0\n",
                "test: node \"s\" (SplitToSequence): parts of size 0 are impossible");
  check_refused(13, "output y 0 -\ns = SequenceEmpty()\ny = ConcatFromSequence(s) axis=0\n",
                "test: node \"y\" (ConcatFromSequence): the sequence is empty");
}

static void optionals(void **state) {
  (void)state;
  check_import(18, "input x 1 2\noutput y 0 -\noutput h 9 -\no = Optional(x)\nh = OptionalHasElement(o)\n"
                   "e = OptionalGetElement(o)\ny = Relu(e)\n",
               "input x f32 [2]\nconst h.value bool [] = {1}\ny = Relu(x)\nh = Identity(h.value) # bool []\n"
               "output y\noutput h\n");
  check_refused(18, "output y 0 -\no = Optional()\ny = OptionalGetElement(o)\n",
                "test: node \"y\" (OptionalGetElement): its input is an optional without a value");
  check_refused(18, "output o 0 -\no = Optional()\n",
                "test: output \"o\" is an optional without a value, not a tensor");
}

static void sparse_initializers_are_made_dense(void **state) {
  (void)state;
  check_import(13, "input x 1 2,3\nsparse w 2,3 = 5 7 at 1 5\noutput y 0 -\ny = Add(x, w)\n",
               "input x f32 [2,3]\nconst w f32 [2] = {5, 7}\nconst w.2 i64 [2] = {1, 5}\n"
               "const w.3 f32 [2,3] = {0, 5, 0, 0, 0, 7}\n"
               "y = Add(x, w.3)\noutput y\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(tensors_through_a_sequence),
    cmocka_unit_test(inserted_erased_counted),
    cmocka_unit_test(split_and_joined),
    cmocka_unit_test(what_a_sequence_cannot_be),
    cmocka_unit_test(optionals),
    cmocka_unit_test(sparse_initializers_are_made_dense),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
