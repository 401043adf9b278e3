/* Shell scripts by bash */
#include "task/language.h"

static const char *const tags[] = {"sh", "bash", "zsh", "console", NULL};
static const char *const parse[] = {"bash", "-n", "main.sh", NULL};
static const char *const run[] = {"bash", "main.sh", NULL};

const struct language language_shell = {"shell", "bash: input and output", tags, "main.sh", .run = run, .parse = parse};
