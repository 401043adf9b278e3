/* verifier.h - is this answer the reference answer?  One verifier for each `type` of problem
 *
 *     const struct verifier *v = verifier_find("math", &e);
 *     if (v->same("3.50", 4, "7/2", 3, NULL, NULL)) ...       // true
 *
 * A verifier is one file of lib/task/verifier/ with a `const struct verifier verifier_NAME` at its end. `same` is symmetric, takes
 * bounded time on any bytes, and is used alike to judge against the reference and to count votes.
 */
#ifndef TASK_VERIFIER_H
#define TASK_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct scored;

struct verifier_options {               /* all 0: as the type has it by itself */
	double absolute, relative;      /* numbers are the same within these (math, number, list) */
	enum { ORDER_USUAL, ORDER_KEPT, ORDER_ANY } order;      /* of the items of a list: usually any in mathematics, kept in lists */
	const char *problem;            /* (problem_n) what was asked: of a choice, it has the options; "find m + n"; NULL: not known */
	size_t problem_n;
};

struct verifier {
	const char *name, *help;                        /* the name is the value of `type` that it answers to */
	/* o and why may be NULL; why gets a few words where it could not be told */
	bool (*same)(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why);
	/* May be NULL: judges by other fields of the record than `answer`; sets value, reason and extracted. -2: none can be judged any more. */
	int (*judge)(struct scored *s, struct err *e);
};

extern const struct verifier *const verifier_table[];  /* NULL behind the last */

/* type NULL or "": math, which is text where it is no number. NULL and e if there is none of that name. */
const struct verifier *verifier_find(const char *type, struct err *e);

/* For `same`: equal in plain form (answer_plain) and not empty; or else, where neither is empty, by more(plain a, plain b) (NULL: not). */
bool verifier_same(const char *a, size_t a_n, const char *b, size_t b_n, bool (*more)(const struct buf *a, const struct buf *b));

#endif
