/* C by gcc: GNU C17 with its mathematics library */
#include "task/language.h"

static const char *const tags[] = {"h", NULL};
static const char *const compile[] = {"gcc", "-std=gnu17", "-O2", "-w", "-pipe", "-o", "main", "main.c", "-lm", NULL};
static const char *const run[] = {"./main", NULL};

const struct language language_c = {"c", "gcc: input and output", tags, "main.c", compile, "main", run};
