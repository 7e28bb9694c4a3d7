/* work.c: what every command does around its work: memory, and one way to end where it can't go on; threads to lend. */
#include "tools.h"

int threads_of(const ToolOptions *opt) { return opt->threads.n ? (int)opt->threads.value[0] : 1; }

/* The command's work, with --quantize on what calibration makes of the model. */
static int work_on_model(Context *cx, const ToolOptions *opt, int (*command)(Context *cx, const ToolOptions *opt)) {
  if (!opt->quantize) return command(cx, opt);
  ToolOptions *own = alloc(cx, sizeof *own);
  *own = *opt;
  cx->file = input_name(&opt->compile);
  calibrate(cx, opt, opt->quantize, opt->verbose, &own->compile.model);
  int status = command(cx, own);
  buffer_free(&own->compile.model);
  return status;
}

int work(Context *cx, const ToolOptions *opt, int (*command)(Context *cx, const ToolOptions *opt)) {
  volatile int status = 1;
  cx->arena = arena_new(opt->compile.max_memory);
  cx->max_memory = opt->compile.max_memory;
  memory_name_file(input_name(&opt->compile));
  object_watch_memory();
  int failed = setjmp(cx->unwind);
  if (!failed) status = work_on_model(cx, opt, command);
  else output_abandon();
  ReportError error = report_error(cx);
  if (failed && opt->json) json_error(&error, stdout);
  arena_free(cx->arena);
  cx->arena = NULL;
  return status;
}
