/* options.c: the table of commands, the table of options, and how the values of these are read. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 1024 };

_Noreturn void usage_error(const char *fmt, ...) {
  Context cx = {0};
  va_list args;
  va_start(args, fmt);
  message_format(&cx, fmt, args);
  va_end(args);
  message_print(MESSAGE_ERROR, cx.error);
  exit(1);
}

/* ==== how values are read ==== */

static void read_flag(const OptionRow *row, void *field, const char *value) {
  (void)row, (void)value;
  *(bool *)field = true;
}

static void read_text(const OptionRow *row, void *field, const char *value) {
  (void)row;
  *(const char **)field = value ? value : "";
}

static void read_path(const OptionRow *row, void *field, const char *value) {
  const char **path = field;
  if (*path) usage_error("%s is given twice", row->name);
  if (value && !*value) usage_error("%s%s: the file name is empty", row->name, row->form == OPTIONAL ? "=" : "");
  *path = value ? value : "";
}

/* One more; without a value it is the tables. */
static void read_report(const OptionRow *row, void *field, const char *value) {
  ReportPaths *r = field;
  const char *dot = value ? strrchr(value, '.') : NULL;
  bool known = !value || strcmp(value, "-") == 0 || (dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".html") == 0));
  if (!known) usage_error("%s=%s: the file name must end in .html or .json, or be - for standard output", row->name, value);
  if (r->n == MAX_REPORTS) usage_error("%s is given more than %d times", row->name, MAX_REPORTS);
  r->path[r->n++] = value ? value : "";
}

void add_file(FileList *files, const char *path) {
  if (!*path) usage_error("the name of a file or folder is empty");
  files->path = realloc(files->path, ((size_t)files->n + 1) * sizeof *files->path);
  if (!files->path) out_of_memory();
  files->path[files->n++] = path;
}

static void read_file(const OptionRow *row, void *field, const char *value) {
  (void)row;
  add_file(field, value);
}

/* "a, b or c" */
static void join_choices(const char *const *choice, char *out, size_t size) {
  size_t n = 0;
  for (int i = 0; choice[i] && n < size; i++) {
    const char *between = i == 0 ? "" : choice[i + 1] ? ", " : " or ";
    n += (size_t)snprintf(out + n, size - n, "%s%s", between, choice[i]);
  }
}

static void read_choice(const OptionRow *row, void *field, const char *value) {
  char all[200];
  for (int i = 0; row->choice[i]; i++) {
    if (strcmp(row->choice[i], value) == 0) {
      *(int *)field = i;
      return;
    }
  }
  join_choices(row->choice, all, sizeof all);
  usage_error("%s=%s: it is %s", row->name, value, all);
}

/* Where a compilation puts weights; of commands that run a library, also the file itself. The field is the CommandLine. */
static void read_weights(const OptionRow *row, void *field, const char *value) {
  CommandLine *line = field;
  bool word = line->command->run == compile;
  for (int i = 0; row->choice[i]; i++) word |= strcmp(row->choice[i], value) == 0;
  if (word) read_choice(row, &line->tool.compile.weights, value);
  else read_path(row, &line->tool.weights, value);
}

/* A positive decimal number at s; 0: there is none. *end is behind it. */
static int64_t number_at(const char *s, char **end) {
  errno = 0;
  *end = (char *)s;
  if (*s < '0' || *s > '9') return 0;
  int64_t n = strtoll(s, end, 10);
  return errno ? 0 : n;
}

static void read_number(const OptionRow *row, void *field, const char *value) {
  char *end;
  int64_t n = number_at(value, &end), most = row->most;
  if (n > 0 && (most == 0 || n <= most) && !*end) *(int64_t *)field = n;
  else if (most) usage_error("%s=%s: it is a number from 1 to %lld", row->name, value, (long long)most);
  else usage_error("%s=%s: it is a number from 1 on", row->name, value);
}

/* Numbers as in 1,2,4: only bench takes more than one. */
static void read_counts(const OptionRow *row, void *field, const char *value) {
  Counts *c = field;
  int64_t most = row->most ? row->most : INT32_MAX;
  *c = (Counts){0};
  for (const char *s = value;; s++) {
    char *end;
    int64_t n = number_at(s, &end);
    if (n <= 0 || n > most || (*end && *end != ',') || c->n == MAX_COUNTS)
      usage_error("%s=%s: it is a number from 1 to %lld, for bench also several as in 1,2,4", row->name, value, (long long)most);
    c->value[c->n++] = n;
    s = end;
    if (!*end) return;
  }
}

static void read_real(const OptionRow *row, void *field, const char *value) {
  char *end;
  double v = strtod(value, &end);
  if (!*value || *end || !(v > 0 && v <= 1e6)) usage_error("%s=%s: it is a number above 0", row->name, value);
  *(double *)field = v;
}

static void read_size(const OptionRow *row, void *field, const char *value) {
  static const char units[] = "KMG";
  char *end;
  int64_t n = number_at(value, &end);
  const char *unit = *end ? strchr(units, *end) : NULL;
  if (unit) {
    if (!mul_size(n, INT64_C(1) << (10 * (unit - units + 1)), &n)) n = 0;
    end++;
  }
  if (n <= 0 || *end) usage_error("%s=%s: it is a number of bytes, or of K, M or G", row->name, value);
  *(int64_t *)field = size_min(n, row->most);
}

static void read_letters(const OptionRow *row, void *field, const char *value) {
  for (const char *p = value; *p; p++) {
    bool known = false;
    for (int i = 0; i < pass_count; i++) known |= pass_list[i].letter == *p;
    if (!known) usage_error("%s %s: no pass has the letter '%c'; --passes lists them", row->name, value, *p);
  }
  *(const char **)field = value;
}

/* A name at s, which stands for a dimension that stays symbolic; *end is behind it. */
static bool is_name_at(const char *s, char **end) {
  size_t n = strcspn(s, ",");
  *end = (char *)s + n;
  return n > 0 && (*s < '0' || *s > '9') && !strchr("+-.", *s);
}

static bool shape_at(const char *s, Shape *shape) {
  for (char *end;; s = end + 1) {
    int64_t n = number_at(s, &end);
    bool none = n <= 0 && !(*s == '0' && end == s + 1), named = none && shape->rank == 0 && is_name_at(s, &end);
    if (named) n = -1; /* the first, the batch */
    if ((none && !named) || shape->rank == MAX_RANK) return false;
    shape->d[shape->rank++] = n;
    if (*end != ',') return !*end;
  }
}

/* A name that linker scripts can have, of no section that an object has otherwise. */
static void read_section(const OptionRow *row, void *field, const char *value) {
  static const char *const taken[] = {
    ".text", ".data", ".bss", ".note", ".eh_frame", ".rela", ".sym", ".str", ".shstrtab", ".init", ".fini", ".preinit",
    ".debug", ".comment", ".gnu", ".group", ".llvm", ".tdata", ".tbss", ".rodata.cst", ".rodata.str",
  };
  size_t word = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$");
  if (!*value || value[word]) usage_error("%s=%s: a section's name has letters, digits, '_', '.' and '$'", row->name, value);
  bool bad = strcmp(value, ".rodata") == 0;
  for (size_t i = 0; i < COUNT(taken); i++) bad |= strncmp(value, taken[i], strlen(taken[i])) == 0;
  if (bad) usage_error("%s=%s: sections of that name hold something else; take another, such as .flash_weights", row->name, value);
  *(const char **)field = value;
}

/* One more; the field is the Options. */
static void read_shape(const OptionRow *row, void *field, const char *value) {
  Options *o = field;
  struct ShapePin pin = {0};
  const char *equals = strrchr(value, '='); /* an input's name may hold one */
  bool scalar = equals && !equals[1];
  if (!equals || equals == value || (!scalar && !shape_at(equals + 1, &pin.shape))) {
    usage_error("%s %s: it is NAME=1,3,224,224 with up to %d numbers, or N for the batch first, or none for a scalar", row->name,
                value, MAX_RANK);
  }
  o->shape = realloc(o->shape, ((size_t)o->n_shape + 1) * sizeof *o->shape);
  pin.input = strndup(value, (size_t)(equals - value));
  if (!o->shape || !pin.input) out_of_memory();
  o->shape[o->n_shape++] = pin;
}

/* One more for --input or --output; the field is the Options. */
static void read_words(const OptionRow *row, void *field, const char *value) {
  Options *o = field;
  o->words = realloc(o->words, ((size_t)o->n_words + 1) * sizeof *o->words);
  if (!o->words) out_of_memory();
  o->words[o->n_words++] = (WordsOption){row->name, value};
}

/* ==== the tables ==== */

const Command command_list[] = {
  {"compile", "MODEL", "Compiles an ONNX model to an object file and a C header.", .run = compile},
  {"inspect", "MODEL", "Tells what a model holds, and why resnetcc would refuse it.", .run = inspect},
  {"verify", "MODEL [DIR]...", "Runs a model here and compares its outputs with what is right.",
   .run = verify_command, .more = true},
  {"bench", "MODEL", "Times the runs of a model here.", .run = bench_command},
  {"calibrate", "MODEL", "Makes a model of floats one of 8-bit integers, by samples.", .run = calibrate_command},
  {"run", "MODEL [FILE]...", "Runs a model here on pictures or tensors.", .run = run_here, .more = true},
};
const int command_count = COUNT(command_list);

const char *const group_title[GROUP_COUNT] = {
  [OUTPUT] = "Output", [MODEL] = "Model", [CODE] = "Code", [FINDINGS] = "What a compilation finds",
  [CHECKS] = "Running a model", [QUANTIZATION] = "Making integers of floats",
  [PROGRAM] = "The program itself", [DEVELOPER] = "For the compiler's developers",
};

static const char *const emit_names[] = {
  [EMIT_OBJ] = "obj", [EMIT_ASM] = "asm", [EMIT_LLVM] = "llvm", [EMIT_GRAPH] = "graph", [EMIT_SHARED] = "so",
  [EMIT_AUTO] = "auto", NULL,
};
static const char *const winograd_names[] = {
  [WINOGRAD_AUTO] = "auto", [WINOGRAD_OFF] = "off", [WINOGRAD_2] = "2", [WINOGRAD_4] = "4", NULL,
};
static const char *const strassen_names[] = {
  [STRASSEN_AUTO] = "auto", [STRASSEN_OFF] = "off", [STRASSEN_ON] = "on", NULL,
};

static const char *const weights_names[] = {
  [WEIGHTS_EMBED] = "embed", [WEIGHTS_FILE] = "file", [WEIGHTS_EXTERN] = "extern", NULL,
};
static const char *const ranges_names[] = {
  [RANGES_MSE] = "mse", [RANGES_MINMAX] = "minmax", [RANGES_PERCENTILE] = "percentile", [RANGES_ENTROPY] = "entropy", NULL,
};
static const char *const nchwc_names[] = {
  [NCHWC_AUTO] = "auto", [NCHWC_8] = "8", [NCHWC_16] = "16", NULL,
};

#define LINE(field) offsetof(CommandLine, field)
#define TOOL(field) offsetof(CommandLine, tool.field)
#define OF_PASSES(field) offsetof(CommandLine, tool.compile.field)

static const char *known_cpu(int i) { return i ? cpu_name(i - 1) : "native"; }

const OptionRow option_list[] = {
  {OUTPUT, COMPILE | CALIBRATE, "-o", "FILE", EITHER, read_path, TOOL(output), .common = true,
   .help = "write to FILE, whose ending says what",
   .paragraph = "The ending decides what it is: .o, .obj and .syso an object file, .s assembly, .ll LLVM's IR, "
                ".so a shared library with the runtime inside, linked by $CC, or cc where that is not set. "
                "Without an ending it is an object file; others are refused. The C header lies beside it with "
                "the ending .h. Without -o the file is named after the model and lies in the current folder. "
                "- is standard output, and has no header. A file is replaced only when the new one is complete. "
                "calibrate writes an ONNX model."},
  {OUTPUT, COMPILE, "--header", "FILE", EITHER, read_path, TOOL(header), .common = true,
   .help = "where the C header goes; none: nowhere",
   .paragraph = "Otherwise it lies beside the output, with the ending .h, where that is an object or a shared "
                "library in a file."},
  {OUTPUT, COMPILE, "--name", "NAME", EITHER, read_text, OF_PASSES(name), .common = true,
   .help = "the prefix of all C names",
   .paragraph = "NAME_run, NAME_model and NAME_WORKSPACE_SIZE are what programs see. Without it NAME is the "
                "output's file name, made an identifier."},
  {OUTPUT, COMPILE, "--emit", "KIND", EITHER, read_choice, OF_PASSES(emit),
   .help = "what is written, whatever the ending",
   .paragraph = "obj is an object file, so a shared library, asm assembly, llvm the IR of LLVM as text, graph that "
                "of the compiler. auto, the default, is what the ending of -o says.", .choice = emit_names},
  {OUTPUT, COMPILE, "-MD", NULL, NONE, read_flag, TOOL(depend),
   .help = "a rule for make, in a file with the ending .d",
   .paragraph = "The rule says which files the outputs were made from: the model, the files of its external "
                "data, and that of --tune. CMake and ninja read it as a DEPFILE."},
  {OUTPUT, COMPILE, "-MF", "FILE", EITHER, read_path, TOOL(depend_file),
   .help = "write that rule to FILE",
   .paragraph = "Implies -MD."},

  {MODEL, EVERY, "--shape", "NAME=1,3,224,224", EITHER, read_shape, LINE(tool.compile), .common = true,
   .help = "fix an input's shape; repeat for others",
   .paragraph = "Inputs whose dimensions have names, or none, need it before they can be compiled. With a "
                "name, such as N, in place of the first number the batch stays symbolic."},
  {MODEL, EVERY, "--batch", "N", EITHER, read_counts, TOOL(batch), .common = true,
   .help = "fix a symbolic batch at N images",
   .paragraph = "A call then takes N images. The first layers take a few at a time and the last ones all of "
                "them, as caches have it, so that weights are read once where that is faster. Without it a "
                "symbolic batch is a parameter of NAME_run. Models whose operators mix the images of a batch "
                "need it."},
  {MODEL, EVERY, "--max-memory", "SIZE", EITHER, read_size, OF_PASSES(max_memory),
   .help = "refuse models that need more; default 16G",
   .paragraph = "Both what the compilation takes and what the compiled model would take are counted. SIZE is "
                "in bytes, or ends in K, M or G.", .most = MOST_MEMORY},
  {MODEL, RUNNING | CALIBRATE, "--input", "[NAME=]WORD,...", EITHER, read_words, LINE(tool.compile),
   .help = "what the program passes, as in u8,nhwc,torchvision",
   .paragraph = "The model converts it. It is u8 or f32; nhwc or nchw; rgb, bgr, rgba, bgra or gray, and model=bgr; the "
                "numbers of torchvision, caffe, tf or 01, or mean=A/B/C and std=A/B/C; stride=BYTES of a row; size=WxH "
                "with fit=stretch, crop or pad and filter=antialias or bilinear. NAME says which input, where there "
                "are several."},
  {MODEL, RUNNING, "--output", "[NAME=]WORD,...", EITHER, read_words, LINE(tool.compile),
   .help = "what the program gets, as in softmax,top5",
   .paragraph = "One after the other: softmax, sigmoid, argmax, top5 (or any number), nhwc, u8."},
  {MODEL, RUNNING, "--labels", "FILE", EITHER, read_path, OF_PASSES(labels),
   .help = "the names of the classes, one a line",
   .paragraph = "They become NAME_labels in the object, and what resnetcc run shows."},
  {MODEL, RUNNING, "--nchwc-block", "WIDTH", EITHER, read_choice, OF_PASSES(nchwc_block),
   .help = "channels of a block in optimised models",
   .paragraph = "For models that ONNX Runtime's optimizer saved with ORT_ENABLE_ALL: their channels are in "
                "blocks of 8 (saved on AVX2), or of 16 (on AVX-512). auto, the default, takes what the model "
                "shows.", .choice = nchwc_names},

  {CODE, RUNNING, "-mcpu", "CPU", JOINED, read_text, OF_PASSES(cpu), .known = known_cpu, .common = true,
   .help = "generate code for CPU; default: this machine",
   .paragraph = "CPU is named as by clang: a level such as x86-64-v3, which runs on every machine of that "
                "level, or a model such as znver4 or cortex-a76. A program on a lesser machine gets "
                "RCC_ERR_CPU from NAME_run. With --target the default is x86-64, or generic for aarch64, "
                "which run everywhere."},
  {CODE, RUNNING, "-mattr", "LIST", JOINED, read_text, OF_PASSES(attr),
   .help = "add or take features, as in +avx2,-fma",
   .paragraph = "A feature brings what it rests on; one that is taken takes along what rests on it."},
  {CODE, RUNNING, "--target", "TRIPLE", EITHER, read_text, OF_PASSES(triple),
   .help = "the system, such as x86_64-linux-gnu",
   .paragraph = "Code is generated for x86_64 and aarch64 systems with ELF objects. Without it the target "
                "is this machine, of which the CPU is taken as well."},
  {CODE, RUNNING, "-Os", NULL, NONE, read_flag, OF_PASSES(small),
   .help = "keep weights small",
   .paragraph = "No weights that take more room for being faster; those that 16 bits hold exactly are kept "
                "in 16."},
  {CODE, RUNNING, "-g", NULL, NONE, read_flag, OF_PASSES(debug),
   .help = "line tables that name the model's nodes",
   .paragraph = "Debuggers and profilers tell the node of the model, its number in the file as the line."},
  {CODE, RUNNING, "--strict", NULL, NONE, read_flag, OF_PASSES(strict),
   .help = "NaN and infinities exactly as defined",
   .paragraph = "Nothing then rests on activations being finite, or on the sign of a zero being of no "
                "interest: NaN and infinities come out where the operators have them, at the price of direct "
                "convolutions."},
  {CODE, RUNNING, "--flush-denormals", NULL, NONE, read_flag, OF_PASSES(flush_denormals),
   .help = "take denormal numbers for zeros",
   .paragraph = "While the object runs, the CPU takes denormal numbers for zeros; its mode is then what it "
                "was. Models whose activations die out slowly run faster so."},
  {CODE, RUNNING, "--winograd", "WHEN", EITHER, read_choice, OF_PASSES(winograd),
   .help = "Winograd's algorithm for 3x3 convolutions",
   .paragraph = "auto, the default, takes it where it is estimated to be faster; 2 and 4 take F(2x2,3x3) and "
                "F(4x4,3x3) wherever they fit; off keeps to direct convolution, which is accurate to 1e-5 "
                "where Winograd is to 1e-4.", .choice = winograd_names},
  {CODE, RUNNING, "--strassen", "WHEN", EITHER, read_choice, OF_PASSES(strassen),
   .help = "Strassen's algorithm for 1x1 convolutions",
   .paragraph = "auto, the default, takes it where it is estimated to be faster, on wherever it fits.",
   .choice = strassen_names},
  {CODE, RUNNING, "--weights", "WHERE", EITHER, read_weights, 0,
   .help = "where weights lie: embed, file or extern",
   .paragraph = "embed, the default, puts them into the object; file and extern into a file beside it with the "
                "ending .weights, which a run gets as the last input. Where a library that needs such a file runs, it is "
                "the one beside it, or --weights=FILE names it. verify --weights=FILE OBJECT says whether FILE is whole "
                "and holds the weights of OBJECT.", .choice = weights_names},
  {CODE, RUNNING, "--weights-section", "NAME", EITHER, read_section, OF_PASSES(weights_section),
   .help = "the object's section with the weights",
   .paragraph = "For linker scripts; the default is .rodata.rcc_weights."},
  {CODE, RUNNING, "--tune", "FILE", OPTIONAL, read_path, TOOL(tune), .common = true,
   .help = "measure here which algorithms are fastest",
   .paragraph = "The times are kept in FILE, without a name in a file beside the output with the ending "
                ".tune. A FILE that exists is read instead, on any machine, so that an object can be made "
                "again from the same times. At the end the network that they make runs by turns with the one that "
                "estimates make, and the faster is kept: a line says what was won."},

  {FINDINGS, COMPILE, "--report", "FILE", OPTIONAL, read_report, TOOL(report), .common = true,
   .help = "list layers, buffers, errors; FILE.html: a page",
   .paragraph = "Lists how every layer is computed, where every value lies in the workspace, and the error "
                "against double precision, on random input, of every layer that uses Winograd's or "
                "Strassen's algorithm. FILE.html is a page of it, FILE.json has it as data, - is standard "
                "output. It may be given more than once."},
  {FINDINGS, COMPILE, "--why", NULL, NONE, read_flag, TOOL(why),
   .help = "list the algorithms that each layer can have",
   .paragraph = "With their estimated or measured times, the chosen one marked. Of a quantised network also the operators "
                "that are computed in fp32, and why."},
  {FINDINGS, COMPILE, "--profile", NULL, NONE, read_flag, TOOL(profile), .common = true,
   .help = "run it here; list the time of every layer",
   .paragraph = "With the share of the fp32 peak that it reaches, and the bytes that it has to move. The "
                "object must be for this machine."},
  {FINDINGS, RUNNING, "--threads", "N", EITHER, read_counts, TOOL(threads),
   .help = "threads that a run has; default 1",
   .paragraph = "The compiled model takes as many threads as a program lends it; this is how many it is lent here.",
   .most = MOST_THREADS},
  {FINDINGS, EVERY & ~(RUN | CALIBRATE), "--json", NULL, NONE, read_flag, TOOL(json),
   .help = "print what is found, or the error, as JSON",
   .paragraph = "One object on standard output: what --report, --why, --profile or inspect find, or the "
                "error with its file, node, operator and reason apart."},
  {FINDINGS, COMPILE | CALIBRATE, "-v", NULL, NONE, read_flag, TOOL(verbose), .alias = "--verbose",
   .help = "say what is compiled, and how large it gets",
   .paragraph = "On standard error: operator set, target, number of layers, weights and workspace."},

  {FINDINGS, EVERY, "-q", NULL, NONE, read_flag, TOOL(quiet), .alias = "--quiet",
   .help = "no progress, no warnings",
   .paragraph = "Errors are still told, and what was asked for is still printed."},

  {CHECKS, VERIFY, "--rtol", "R", EITHER, read_real, TOOL(rtol),
   .help = "agree up to R of the largest output",
   .paragraph = "The default is 1e-5, and 1e-4 where layers use Winograd's or Strassen's algorithm."},
  {CHECKS, VERIFY, "--seed", "N", EITHER, read_number, TOOL(seed),
   .help = "the random inputs; default 1",
   .paragraph = "Inputs are random where there are no data sets."},
  {CHECKS, VERIFY, "--per-node", NULL, NONE, read_flag, TOOL(per_node),
   .help = "name the first node that strays, list all",
   .paragraph = "With the error of each, against double precision."},
  {CHECKS, VERIFY, "--against", "FILE", EITHER, read_path, TOOL(against),
   .help = "what FILE gives is right",
   .paragraph = "FILE is a model, or a shared library made of one."},
  {CHECKS, VERIFY, "--save", "DIR", EITHER, read_path, TOOL(save),
   .help = "write a data set to DIR",
   .paragraph = "The inputs, and what is right, go to DIR/test_data_set_0, or the next number that is free."},

  {CHECKS, BENCH, "--seconds", "S", EITHER, read_real, TOOL(seconds),
   .help = "time each configuration so long; default 2",
   .paragraph = "A configuration is a number of threads and a batch."},
  {CHECKS, BENCH, "--parallel", "N", EITHER, read_number, TOOL(parallel),
   .help = "N runs at once",
   .paragraph = "Each has its own workspace and threads.", .most = MOST_THREADS},
  {CHECKS, BENCH, "--compare", "FILE", EITHER, read_path, TOOL(compare),
   .help = "time FILE in turns with the model",
   .paragraph = "FILE is a model, or a shared library made of one."},
  {CHECKS, RUN, "--image", "FILE", EITHER, read_file, TOOL(image),
   .help = "run on this JPEG or PNG; may be repeated",
   .paragraph = "It is brought to the input's size; its rows have no gaps, whatever stride= says. Files may stand "
                "behind the model as well."},
  {CHECKS, RUN, "--in", "FILE", EITHER, read_file, TOOL(in),
   .help = "the tensor of the next input, .npy or .pb",
   .paragraph = "NumPy's format, or a TensorProto as in ONNX's data sets."},
  {CHECKS, RUN, "--out", "FILE", EITHER, read_file, TOOL(out),
   .help = "write the next output to FILE",
   .paragraph = "As .npy or .pb, or as .png where it is a picture."},
  {CHECKS, RUN, "--top", "K", EITHER, read_number, TOOL(top),
   .help = "show the K best classes; default 5",
   .paragraph = "With their labels, where --labels names them."},

  {QUANTIZATION, CALIBRATE, "--data", "PATH", EITHER, read_path, TOOL(data), .common = true,
   .help = "samples: a folder of pictures, or an array",
   .paragraph = "JPEG and PNG files in the folder and those within it, .npy and .pb files with a tensor each, or one .npy with "
                "a sample in each row. Some hundred that are like what the model will see are enough."},
  {QUANTIZATION, RUNNING, "--quantize", "PATH", EITHER, read_path, TOOL(quantize),
   .help = "calibrate the model on these samples first",
   .paragraph = "As the command calibrate does with --data=PATH, in one step; with -v its table is printed."},
  {QUANTIZATION, RUNNING | CALIBRATE, "--ranges", "METHOD", EITHER, read_choice, TOOL(ranges),
   .help = "how wide values are: mse, minmax, ...",
   .paragraph = "mse, the default, has the least mean square error; minmax reaches over all that values were; percentile leaves "
                "out one element in 100,000; entropy has the least divergence of distributions.", .choice = ranges_names},
  {QUANTIZATION, RUNNING | CALIBRATE, "--keep-float", "NODE,...", EITHER, read_text, TOOL(keep_float),
   .help = "nodes that stay in floats; also first, last",
   .paragraph = "The words first and last are the first and the last layer with weights. The table of signal to noise says which nodes "
                "lose most."},

  {PROGRAM, EVERY, "-h", NULL, NONE, read_flag, LINE(short_help),
   .help = "the options that most people need",
   .paragraph = "--help lists all of them.", .ends = true},
  {PROGRAM, EVERY, "--help", "NAME", OPTIONAL, read_text, LINE(help), .common = true,
   .help = "this list; =NAME: all about one option",
   .paragraph = "--help=-o tells all about -o. --help=developer lists the options for the compiler's "
                "developers, --help=operators the operators. What other tools read: --help=markdown is the "
                "table of options of the documents, --help=man the manual page, --help=bash, --help=zsh and "
                "--help=fish are completions.", .ends = true},
  {PROGRAM, EVERY, "-V", NULL, NONE, read_flag, LINE(version), .alias = "--version",
   .help = "print the versions, the CPU and the targets",
   .paragraph = "Of resnetcc, of LLVM and of the interface of compiled models; what is compiled for by "
                "default, and what for at all.", .ends = true},

  {DEVELOPER, EVERY, "--passes", NULL, NONE, read_flag, LINE(passes),
   .help = "list the passes, with their letters",
   .paragraph = "Every pass does one thing to the graph. The letters are those of -d.", .ends = true},
  {DEVELOPER, COMPILE, "-d", "LETTERS", EITHER, read_letters, TOOL(dump),
   .help = "print the graph after these passes",
   .paragraph = "The graph goes to standard error as text; --emit=graph writes it after all passes."},
  {DEVELOPER, COMPILE, "--verify", NULL, NONE, read_flag, OF_PASSES(verify),
   .help = "check the graph after each pass",
   .paragraph = "A broken graph ends the program with the name of the pass."},
  {DEVELOPER, COMPILE, "--each-pass", NULL, NONE, read_flag, TOOL(each_pass),
   .help = "evaluate the graph after each pass (slow)",
   .paragraph = "The outputs on random inputs must be what they were; the first pass that changes them is "
                "named."},
  {DEVELOPER, COMPILE, "--time", NULL, NONE, read_flag, TOOL(time),
   .help = "tell the time of each pass",
   .paragraph = "On standard error, in milliseconds."},
};
const int option_count = COUNT(option_list);
