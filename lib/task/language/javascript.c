/* JavaScript by node */
#include "task/language.h"

static const char *const tags[] = {"js", "node", "nodejs", "mjs", NULL};
static const char *const parse[] = {"node", "--check", "main.js", NULL};
static const char *const run[] = {"node", "main.js", NULL};
static const char *const call[] = {"node", "/.r1/call.js", NULL};

const struct language language_javascript = {"javascript", "node: input and output, calls", tags, "main.js", .run = run, .call = call, .parse = parse};
