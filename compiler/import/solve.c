/* solve.c: nodes that are in no graph, because import knows what they come to. */
#include "onnx.pb-c.h"
#include "import.h"

static const struct {
  Op op;
  Solve *solve;
} rows[] = {
  {OP_Constant, solve_constant},
  {OP_If, solve_if},
  {OP_Loop, solve_loop},
  {OP_Scan, solve_scan},
  {OP_SequenceMap, solve_sequence_map},
  {OP_SequenceConstruct, solve_sequence_construct},
  {OP_SequenceEmpty, solve_sequence_empty},
  {OP_SequenceAt, solve_sequence_at},
  {OP_SequenceInsert, solve_sequence_insert},
  {OP_SequenceErase, solve_sequence_erase},
  {OP_SequenceLength, solve_sequence_length},
  {OP_SplitToSequence, solve_split_to_sequence},
  {OP_ConcatFromSequence, solve_concat_from_sequence},
  {OP_Optional, solve_optional},
  {OP_OptionalHasElement, solve_optional_has_element},
  {OP_OptionalGetElement, solve_optional_get_element},
};

bool solve_node(Import *im, const Onnx__NodeProto *p) {
  const Onnx__FunctionProto *f = called_function(im, p);
  if (f) {
    call_function(im, p, f);
    return true;
  }
  Op op = proto_op(im, p);
  for (size_t i = 0; i < COUNT(rows); i++) {
    if (rows[i].op != op) continue;
    rows[i].solve(im, p);
    return true;
  }
  return false;
}
