/* calibrate.c: the command calibrate. */
#include "tools.h"

static int calibrate_model(Context *cx, const ToolOptions *opt) {
  Buffer bytes = {0};
  if (!opt->data) fail(cx, "--data: there are no samples; name a folder of pictures, or an array");
  if (!opt->output) fail(cx, "-o: the quantised model needs a name, such as -o model.int8.onnx");
  cx->file = input_name(&opt->compile);
  output_check(cx, opt->output);
  calibrate(cx, opt, opt->data, !opt->quiet, &bytes);
  write_whole_file(cx, &bytes, opt->output);
  return 0;
}

int calibrate_command(Context *cx, const ToolOptions *opt) { return work(cx, opt, calibrate_model); }
