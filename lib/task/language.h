/* language.h - a programming language: how its programs are compiled, run and called
 *
 *     const struct language *l = language_find("python", 6);          // by name or tag
 *
 * A language is one file of lib/task/language/ with a `const struct language language_NAME` at its end. Commands are run by r1-sandbox,
 * with the program as `file` in the working folder; /.r1/ holds the harnesses of sandbox/harness/.
 */
#ifndef TASK_LANGUAGE_H
#define TASK_LANGUAGE_H

#include <stddef.h>

struct language {
	const char *name, *help;
	const char *const *tags;                /* as code blocks are marked, beside the name; NULL behind the last */
	const char *file;                       /* the program's name */
	const char *const *compile;             /* makes `binary`; NULL: nothing to do */
	const char *binary;
	const char *const *run;
	/* Harnesses, NULL where there is none. call: calls one function, as r1-call.json says, and writes its value as r1-value.json.
	 * serve and judge: two processes, on the two ends of descriptor 3, of which one has the program and the other the assertions. */
	const char *const *call, *const *serve, *const *judge;
	const char *const *parse;               /* where nothing is compiled: reads the program without running it, and fails if it cannot be read */
};

extern const struct language *const language_table[];  /* NULL behind the last */

const struct language *language_find(const char *name, size_t n);      /* NULL if there is none */

#endif
