/* Python 3, as the machine has it */
#include "task/language.h"

static const char *const tags[] = {"py", "python3", NULL};
static const char *const parse[] = {"python3", "-c", "compile(open('main.py', 'rb').read(), 'main.py', 'exec')", NULL};
static const char *const run[] = {"python3", "main.py", NULL};
static const char *const call[] = {"python3", "/.r1/call.py", NULL};
static const char *const serve[] = {"python3", "/.r1/serve.py", NULL};
static const char *const judge[] = {"python3", "/.r1/judge.py", NULL};

const struct language language_python = {
	"python", "python3: input and output, calls, assertions", tags, "main.py", .run = run, .call = call, .serve = serve, .judge = judge, .parse = parse};
