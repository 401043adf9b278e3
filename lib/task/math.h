/* math.h - are two mathematical answers the same?  In LaTeX or plain text, decided exactly
 *
 *     struct buf why = {0};
 *     if (math_compare("\\frac{\\sqrt{8}}{2}", 16, "sqrt(2)", 7, NULL, &why) == MATH_SAME) ...
 *
 * An answer is read into a tree (numbers, expressions in variables, tuples, intervals and unions, sets, lists, matrices, equations and
 * inequalities, quantities with units, words), and trees are compared by what they mean: 2x+2 is 2(x+1), x=3 is 3, {1,2} is {2,1}, -2 <= x
 * <= 7 is [-2,7], y=2x is 2x-y=0, 50% is 1/2, 36 cm is 0.36 m, 8+4=12 is 12; but 2x=5 is not 5, and 204_5 is 204 in its base only. Where
 * both readings of a notation are usual (1,234 is a number or a list) one that makes them the same is enough.
 *
 * How expressions are compared. Rationals are computed exactly. Else both sides are enclosed in balls of growing precision (Arb), at random
 * points if they have variables: balls apart prove that they differ. Where they are not apart, pi, e, logarithms, exponentials and
 * sines get random rational values that keep their functional equations, and what is then left, an algebraic number,
 * is zero or not by a separation bound: for a sum, product, quotient and root U/L of algebraic integers of a field of degree D, with |U| and
 * |L| and all conjugates at most u and l, either U/L = 0 or |U/L| >= 1 / (u^(D-1) l) (Burnikel, Funke, Mehlhorn, Schirra, Schmitt: "A
 * separation bound for real algebraic expressions", 2001). The points are drawn from a generator keyed by both answers: the same verdict
 * every time. No double is compared with another.
 *
 * Bounds: MATH_BYTES bytes, a nesting of 60, 100,000 bits and a budget of work. What is beyond them is MATH_UNDECIDED, with the reason.
 */
#ifndef TASK_MATH_H
#define TASK_MATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define MATH_BYTES 20000

enum math_verdict { MATH_DIFFERENT, MATH_SAME, MATH_UNDECIDED };

struct math_options {
	bool tolerant;                  /* two numbers are the same within `absolute`, or within `relative` times the larger of them */
	double absolute, relative;
	bool ordered;                   /* bare lists (1, 2) are compared in order; usually they are not */
};

/* Symmetric. options may be NULL. `why` gets a few words where the verdict is MATH_UNDECIDED. What cannot be read as mathematics is
 * MATH_DIFFERENT from all: texts are compared by others (task/verifier.h). */
enum math_verdict math_compare(const char *a, size_t a_n, const char *b, size_t b_n, const struct math_options *options, struct buf *why);

#endif
