/* command_line.c: which options and files the command line has. The conventions are those of C compilers. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

/* The value that is part of the argument, NULL where there is none; *match: the argument is this option by this name. */
static const char *attached_value(const OptionRow *row, const char *name, const char *arg, bool *match) {
  size_t n = strlen(name);
  *match = strncmp(arg, name, n) == 0;
  if (!*match || !arg[n]) return NULL;
  if (arg[n] == '=' && row->value && n > 2) return arg + n + 1;
  if (row->form == EITHER && name[1] != '-') return arg + n;
  *match = false;
  return NULL;
}

/* Both names of a row, one after the other. */
static const char *option_name(int i) {
  if (i >= 2 * option_count) return NULL;
  const OptionRow *row = &option_list[i / 2];
  return i % 2 && row->alias ? row->alias : row->name;
}

static const char *command_name(int i) { return i + 1 < command_count ? command_list[i + 1].name : NULL; }

static _Noreturn void fail_unknown(const char *arg) {
  size_t n = strcspn(arg, "=");
  const char *cure = cure_for_others(arg, n), *near = suggest(arg, n, option_name);
  if (cure) usage_error("unknown option '%s'; %s", arg, cure);
  if (near) usage_error("unknown option '%s'; did you mean '%s'?", arg, near);
  usage_error("unknown option '%s'; --help lists them", arg);
}

static const OptionRow *find_option(const char *arg, const char **value) {
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    bool match;
    *value = attached_value(row, row->name, arg, &match);
    if (!match && row->alias) *value = attached_value(row, row->alias, arg, &match);
    if (match) return row;
  }
  fail_unknown(arg);
}

/* Reads the option at argv[i]; returns how many arguments it took, 0: no others are to be looked at. */
static int read_option(CommandLine *line, char **argv, int i) {
  const char *value;
  const OptionRow *row = find_option(argv[i], &value);
  if (!(row->commands & 1u << (line->command - command_list))) {
    usage_error("option '%s' does not belong to the command '%s'", row->name, line->command->name);
  }
  bool next = !value && row->form == EITHER;
  if (next) value = argv[i + 1];
  if (!value && row->value && row->form != OPTIONAL) {
    usage_error("option '%s' needs a value: %s", row->name, row->value);
  }
  row->read(row, (char *)line + row->field, value);
  return row->ends ? 0 : next ? 2 : 1;
}

static void read_input(Options *o, const char *arg) {
  for (int i = 1; o->input && i < command_count; i++) {
    if (strcmp(o->input, command_list[i].name) == 0) usage_error("the command '%s' comes first", o->input);
  }
  const char *command = o->input ? suggest(o->input, strlen(o->input), command_name) : NULL;
  if (command) usage_error("more than one input file: '%s' and '%s'; did you mean the command '%s'?", o->input, arg, command);
  if (o->input) usage_error("more than one input file: '%s' and '%s'", o->input, arg);
  if (!*arg) usage_error("the name of the input file is empty");
  o->input = arg;
}

/* Only the first argument can name a command: a file of that name is written ./NAME, or behind --. */
static int read_command(CommandLine *line, char **argv) {
  line->command = command_list;
  for (int i = 1; argv[1] && i < command_count; i++) {
    if (strcmp(argv[1], command_list[i].name) != 0) continue;
    line->command = &command_list[i];
    return 2;
  }
  return 1;
}

void command_line_read(CommandLine *line, char **argv) {
  bool only_files = false;
  for (int i = read_command(line, argv), took; argv[i]; i += took) {
    took = 1;
    bool is_file = only_files || argv[i][0] != '-' || !argv[i][1];
    if (is_file && line->command->more && line->tool.compile.input) add_file(&line->tool.operand, argv[i]);
    else if (is_file) read_input(&line->tool.compile, argv[i]);
    else if (strcmp(argv[i], "--") == 0) only_files = true;
    else took = read_option(line, argv, i);
    if (took == 0) return;
  }
  const Counts *batch = &line->tool.batch, *threads = &line->tool.threads;
  if ((batch->n > 1 || threads->n > 1) && line->command->run != bench_command)
    usage_error("%s: only bench takes several numbers", batch->n > 1 ? "--batch" : "--threads");
  if (batch->n == 1) line->tool.compile.batch = batch->value[0];
  if (!line->tool.compile.input) usage_error("no input file; -h tells how to name one");
}

void command_line_free(CommandLine *line) {
  Options *o = &line->tool.compile;
  for (int i = 0; i < o->n_shape; i++) free((char *)o->shape[i].input);
  free(o->shape);
  free(o->words);
  const FileList *const files[] = {&line->tool.operand, &line->tool.image, &line->tool.in, &line->tool.out};
  for (size_t i = 0; i < COUNT(files); i++) free(files[i]->path);
}
