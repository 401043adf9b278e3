/* check.h - is a program's output what was expected?  By the usual checkers
 *
 *     struct check c = {.kind = "floats", .absolute = 1e-6, .relative = 1e-6};
 *     if (check_kind("floats", &e) < 0) ...
 *     if (!check_output(&c, got, got_n, want, want_n, &why)) ...       // why: "line 3: '0.25', not '0.5'"
 *
 * The kinds:
 *     text        line by line, but for blanks at a line's end and empty lines at the end of all (the usual one)
 *     exact       byte for byte, but for one newline at the end
 *     tokens      word by word, whatever stands between them
 *     floats      word by word; two numbers are the same within `absolute`, or within `relative` times the expected one; NaN never
 *     unordered   the same lines, in any order
 * What is expected must all be there and nothing behind it: a right beginning of the output is wrong. ignore_case: but for the case of
 * ASCII letters. Time is linear in the bytes, for `unordered` n log n.
 */
#ifndef TASK_CHECK_H
#define TASK_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/json.h"

struct check {
	const char *kind;
	double absolute, relative;
	bool ignore_case;
};

int check_kind(const char *kind, struct err *e);        /* -1 and e: it is none of these */
/* `why` gets a few words where they differ. */
bool check_output(const struct check *c, const char *got, size_t got_n, const char *want, size_t want_n, struct buf *why);

/* Values of function calls: numbers by value (floats: within the tolerances if kind is "floats"), arrays in order, objects by name. */
bool check_value(const struct check *c, const struct js *got, const struct js *want);

#endif
