/* answer.h - where the answer stands in a completion, and what it is once the notation is taken off
 *
 *     struct parts t = parts_of(completion, n, prefilled);     // reasoning and what comes behind it; did the prompt open <think>?
 *     struct found f = answer_find(t.final, t.final_n, "answer,boxed");
 *     if (f.text)
 *             answer_plain(f.text, f.n, &b);                   // "$\text{Even}.$" -> "even"
 *
 * The reasoning ends with the last </think>; nothing is looked for in it. If it was begun (by <think>, or by the prompt's end) and
 * never ended, there is nothing behind it. A completion without reasoning is all final.
 */
#ifndef TASK_ANSWER_H
#define TASK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct parts {
	const char *think;      /* think_n bytes, without the tags; NULL if there is no reasoning */
	size_t think_n;
	bool open;              /* begun, never ended */
	const char *final;      /* final_n bytes */
	size_t final_n;
};
struct parts parts_of(const char *s, size_t n, bool prefilled);

struct found {
	const char *text;       /* n bytes within the text that was searched; NULL if there is none */
	size_t n;
	const char *how;        /* the extractor that found it; else what a person should know ("<answer> is not closed"), or NULL */
};

/* methods: names from this list, comma separated, the first that finds something decides:
 *     answer        what is between the last <answer> ... </answer>; within it, the last \boxed{} if there is one
 *     boxed         the last \boxed{...} whose braces balance, or \boxed 3 without any
 *     answer-is     what the last "answer is", "answer:", "A:", "####", or that in Chinese, says, to the end of its sentence or formula; in it, a \boxed{}
 *     last-number   the last number of the text
 *     all           the whole text, blanks trimmed
 * Linear in n, whatever the text. */
struct found answer_find(const char *s, size_t n, const char *methods);
int answer_methods(const char *methods, struct err *e);                 /* are all of these names known? */

/* Adds to `to`: blanks trimmed and runs of them made one, ASCII letters made small, full-width forms made ASCII, $...$, \(...\), \text{},
 * \boxed{}, quotes and ** around all of it taken off, LaTeX spaces, \left, \right and a last full stop dropped, \dfrac and \tfrac written
 * as \frac. */
void answer_plain(const char *s, size_t n, struct buf *to);
void answer_bare(const char *s, size_t n, struct buf *to);              /* the same, but that capital letters stay */

/* Where the answer itself begins in "The answer is 12", "Answer: C": behind the words that may stand in front of it, whatever their case. *said: they
 * end in a verb or a colon; without one they may be part of the answer ("right angle"). Always less than n, or 0. */
size_t answer_lead(const char *s, size_t n, bool *said);

/* Where what is said begins in "m + n = 25", behind the =, if that is what the problem asks for: "Find $m+n$." Else 0. */
size_t answer_asked(const char *s, size_t n, const char *problem, size_t problem_n);

/* For verdicts: on one line, blanks trimmed, cut with "..." where it is long. */
void answer_show(const char *s, size_t n, struct buf *to);

/* Helpers that others here need: the last place of word in s, or NULL. */
const char *text_last(const char *s, size_t n, const char *word);

#endif
