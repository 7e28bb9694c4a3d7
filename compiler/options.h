/* options.h: the door: what the command line can ask for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "tools.h"

/* What is done with the model. The first argument may name it; where it does not, the first row is done. */
typedef struct Command {
  const char *name, *operands; /* as in the help */
  const char *help;
  int (*run)(Context *cx, const ToolOptions *opt); /* the exit status; 1: with cx->error set */
  bool more;                   /* files or folders may stand behind the model */
} Command;
extern const Command command_list[];
extern const int command_count;

enum { /* sets of commands, in their order */
  COMPILE = 1 << 0, INSPECT = 1 << 1, VERIFY = 1 << 2, BENCH = 1 << 3, RUN = 1 << 5, CALIBRATE = 1 << 4,
  RUNNING = COMPILE | VERIFY | BENCH | RUN, EVERY = RUNNING | INSPECT | CALIBRATE,
};

typedef struct CommandLine {
  const Command *command;
  ToolOptions tool;
  const char *help;            /* --help: "", or of what; NULL: not asked for */
  bool short_help, version, passes;
} CommandLine;

typedef enum Group { OUTPUT, MODEL, CODE, FINDINGS, CHECKS, QUANTIZATION, PROGRAM, DEVELOPER, GROUP_COUNT } Group;
extern const char *const group_title[GROUP_COUNT];

typedef enum ValueForm {
  NONE,
  JOINED,   /* -x=VALUE */
  EITHER,   /* -xVALUE, -x VALUE, --x=VALUE or --x VALUE */
  OPTIONAL, /* --x or --x=VALUE */
} ValueForm;

/* One row an option: all that is known of it. The help, the manual page, the completions of shells and the tables of the
 * documents are printed from the rows. */
typedef struct OptionRow OptionRow;
struct OptionRow {
  Group group;
  unsigned commands;           /* that it belongs to */
  const char *name, *value;    /* value: its name in the help, FILE and DIR for paths; NULL: it has none */
  ValueForm form;
  /* Checks the value and puts it into the field; where the form is OPTIONAL the value may be NULL. */
  void (*read)(const OptionRow *row, void *field, const char *value);
  size_t field;                /* in CommandLine */
  const char *help;            /* at most 50 characters, for lists */
  const char *paragraph;       /* the rest of what there is to say */
  const char *alias;           /* a second name, a long one; NULL: none */
  const char *const *choice;   /* what an enumeration's numbers are called, NULL at the end */
  const char *(*known)(int i); /* of a text: values that it can have; NULL behind the last */
  int64_t most;                /* of a number; 0: any */
  bool ends;                   /* what follows on the command line is not looked at */
  bool common;                 /* -h lists it */
};
extern const OptionRow option_list[];
extern const int option_count;

/* Ends the program with one line and status 1. */
_Noreturn void usage_error(const char *fmt, ...) PRINTF(1, 2);
void add_file(FileList *files, const char *path); /* one more; it must have a name */

/* command_line.c */
void command_line_read(CommandLine *line, char **argv);
void command_line_free(CommandLine *line);

/* suggest.c: of the names that are known, NULL behind the last, the one that was meant by n letters; NULL: none is near. */
const char *suggest(const char *word, size_t n, const char *(*known)(int i));
const char *cure_for_others(const char *word, size_t n); /* for an option of other compilers; NULL: it is none */

/* spell.c */
bool belongs(const OptionRow *row, const Command *command);
void spell_option(const OptionRow *row, char *out, size_t size); /* "--tune[=FILE]" */
const char *option_value(const OptionRow *row, int i); /* of those that it can have, where they can be listed; NULL behind the last */

/* help.c: on standard output */
void print_help(const CommandLine *line);       /* line->help */
void print_short_help(const CommandLine *line);

/* man.c, complete.c: the same for other programs */
void print_man_page(const CommandLine *line);
void print_bash(const CommandLine *line);
void print_zsh(const CommandLine *line);
void print_fish(const CommandLine *line);
#endif
