/* complete.c: --help=bash, --help=zsh, --help=fish: what completes command lines in shells, of the tables of commands and
 * options. */
#include "options.h"

#include <string.h>

static bool is_offered(const OptionRow *row, const Command *command) {
  return row->group != DEVELOPER && belongs(row, command);
}

static bool is_folder(const OptionRow *row) { return row->value && strcmp(row->value, "DIR") == 0; }

static bool is_path(const OptionRow *row) {
  return is_folder(row) || (row->value && strcmp(row->value, "FILE") == 0);
}

static bool joins_by_equals(const OptionRow *row) {
  return row->value && (row->form == JOINED || row->name[1] == '-');
}

static void put_values(const OptionRow *row) {
  for (int i = 0; option_value(row, i); i++) printf("%s%s", i ? " " : "", option_value(row, i));
}

static void put_commands(const char *between) {
  for (int i = 1; i < command_count; i++) printf("%s%s", i > 1 ? between : "", command_list[i].name);
}

/* ==== bash ==== */

static void put_bash_names(const Command *command) {
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    if (!is_offered(row, command)) continue;
    bool equals = joins_by_equals(row);
    if (!equals || row->form == OPTIONAL) printf(" %s", row->name);
    if (equals) printf(" %s=", row->name);
    if (row->alias) printf(" %s", row->alias);
  }
}

/* What stands behind an option that takes a value. */
static void put_bash_value(const OptionRow *row) {
  if (!row->value) return;
  if (is_path(row)) printf("  %s) COMPREPLY=($(compgen %s -- \"$word\")); return ;;\n", row->name, is_folder(row) ? "-d" : "-f");
  else if (option_value(row, 0)) {
    printf("  %s) COMPREPLY=($(compgen -W '", row->name);
    put_values(row);
    printf("' -- \"$word\")); return ;;\n");
  } else if (row->form != OPTIONAL) printf("  %s) return ;;\n", row->name);
}

/* Bash takes a = for a word of its own, so that the option is one or two words before. What may also stand without a value, or
 * has it joined, has it behind a = only. */
void print_bash(const CommandLine *line) {
  (void)line;
  printf("# bash completion for resnetcc\n_resnetcc() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} option= names\n"
         "  COMPREPLY=()\n"
         "  if [[ $word = '=' ]]; then word= option=$before\n"
         "  elif [[ $before = '=' ]]; then option=${COMP_WORDS[COMP_CWORD-2]}\n"
         "  else case $before in\n  ");
  const char *between = "";
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    if (!row->value || row->form != EITHER) continue;
    printf("%s%s", between, row->name);
    between = "|";
  }
  printf(") option=$before ;; esac\n  fi\n  case $option in\n");
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) put_bash_value(row);
  printf("  esac\n  case ${COMP_WORDS[1]} in\n");
  for (int i = command_count - 1; i >= 0; i--) {
    printf("  %s) names='", i ? command_list[i].name : "*");
    put_bash_names(&command_list[i]);
    printf("' ;;\n");
  }
  printf("  esac\n  if [[ $word = -* ]]; then\n    COMPREPLY=($(compgen -W \"$names\" -- \"$word\"))\n"
         "    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} = *= ]] && compopt -o nospace 2>/dev/null\n    return 0\n  fi\n"
         "  COMPREPLY=($(compgen -d -- \"$word\"))\n  local ending\n"
         "  for ending in onnx o so; do COMPREPLY+=($(compgen -f -X \"!*.$ending\" -- \"$word\")); done\n"
         "  [[ $COMP_CWORD -eq 1 ]] && COMPREPLY+=($(compgen -W '");
  put_commands(" ");
  printf("' -- \"$word\"))\n  return 0\n}\ncomplete -o filenames -F _resnetcc resnetcc\n");
}

/* ==== zsh ==== */

/* Between single quotes, in a specification of _arguments. */
static void put_zsh(const char *text) {
  for (; *text; text++) {
    if (*text == '\'') printf("'\\''");
    else if (strchr("[]:\\", *text)) printf("\\%c", *text);
    else putchar(*text);
  }
}

static void put_zsh_value(const OptionRow *row) {
  if (!row->value) return;
  printf(row->form == OPTIONAL ? "::" : ":");
  put_zsh(row->value);
  printf(":");
  if (is_path(row)) printf("_files%s", is_folder(row) ? " -/" : "");
  else if (option_value(row, 0)) {
    printf("(");
    put_values(row);
    printf(")");
  }
}

static void put_zsh_option(const OptionRow *row, const char *name) {
  const char *form = !row->value ? "" : row->form == JOINED || row->form == OPTIONAL ? "=-" : name[1] == '-' ? "=" : "+";
  printf("    '%s%s[", name, form);
  put_zsh(row->help);
  printf("]");
  put_zsh_value(row);
  printf("' \\\n");
}

static void put_zsh_command(const Command *command) {
  printf("  %s) _arguments \\\n", command == command_list ? "*" : command->name);
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    if (!is_offered(row, command)) continue;
    put_zsh_option(row, row->name);
    if (row->alias) put_zsh_option(row, row->alias);
  }
  printf("    '*:file:_files' ;;\n");
}

void print_zsh(const CommandLine *line) {
  (void)line;
  printf("#compdef resnetcc\n_resnetcc() {\n  local -a commands=(\n");
  for (int i = 1; i < command_count; i++) {
    printf("    '%s:", command_list[i].name);
    put_zsh(command_list[i].help);
    printf("'\n");
  }
  printf("  )\n  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n    _describe command commands\n    _files -g '*.(onnx|o|so)'\n"
         "    return\n  fi\n  case $words[2] in\n");
  for (int i = command_count - 1; i >= 0; i--) put_zsh_command(&command_list[i]);
  printf("  esac\n}\nif [ \"$funcstack[1]\" = _resnetcc ]; then _resnetcc \"$@\"; else compdef _resnetcc resnetcc; fi\n");
}

/* ==== fish ==== */

static void put_fish(const char *text) {
  printf("'");
  for (; *text; text++) printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
  printf("'");
}

/* The commands that it does not belong to must not be there, if it belongs to compiling; else one of its own must. */
static void put_fish_condition(const OptionRow *row) {
  bool compiles = belongs(row, command_list), any = false;
  for (int i = 1; i < command_count; i++) {
    if (belongs(row, &command_list[i]) == compiles) continue;
    if (!any) printf(" -n '%s__fish_seen_subcommand_from", compiles ? "not " : "");
    printf(" %s", command_list[i].name);
    any = true;
  }
  if (any) printf("'");
}

static void put_fish_option(const OptionRow *row) {
  bool is_long = row->name[1] == '-', letter = !is_long && !row->name[2];
  printf("complete -c resnetcc");
  put_fish_condition(row);
  printf(" -%c %s", is_long ? 'l' : letter ? 's' : 'o', row->name + (is_long ? 2 : 1));
  if (row->alias) printf(" -l %s", row->alias + 2);
  if (row->value && row->form != OPTIONAL) printf(is_path(row) ? " -r -F" : " -x");
  if (option_value(row, 0)) {
    printf(" -a '");
    put_values(row);
    printf("'");
  }
  printf(" -d ");
  put_fish(row->help);
  printf("\n");
}

void print_fish(const CommandLine *line) {
  (void)line;
  printf("# fish completion for resnetcc\n");
  for (int i = 1; i < command_count; i++) {
    printf("complete -c resnetcc -n 'test (count (commandline -opc)) -eq 1' -a %s -d ", command_list[i].name);
    put_fish(command_list[i].help);
    printf("\n");
  }
  for (const OptionRow *row = option_list; row < option_list + option_count; row++)
    if (row->group != DEVELOPER) put_fish_option(row);
}
