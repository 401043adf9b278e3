/* number.h - numbers as people write them, compared exactly
 *
 *     struct number a, b;
 *     if (number_parse(&a, "1,234.50", 8) && number_parse(&b, "2469/2", 6) && number_equal(&a, &b)) ...       // equal
 *
 * Understood: a sign (+, -), digits with or without thousands separators (1,234,567: groups of three throughout), a decimal point,
 * an exponent (1e3), a fraction of two such numbers (1/2, \frac{1}{2}, \frac12), a currency sign in front, a % behind. Nothing is
 * rounded: 0.333 is not 1/3, and 0.1 is 1/10. What has more than NUMBER_DIGITS significant digits, an exponent beyond four digits
 * or a denominator of 0 is no number here.
 */
#ifndef TASK_NUMBER_H
#define TASK_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_DIGITS 320

struct decimal {                                /* digit[0..n) times 10^exponent; no zeros at either end; n = 0: zero */
	int n;
	int64_t exponent;
	uint8_t digit[NUMBER_DIGITS];
};

struct number {
	bool negative;                          /* never for zero */
	struct decimal above, below;            /* a fraction; below is 1 for most */
};

/* All of s[0..n) must be a number, with blanks around it at most. */
bool number_parse(struct number *x, const char *s, size_t n);
bool number_equal(const struct number *a, const struct number *b);

/* The last number that stands in a text (1,234.5 or -3/4; not part of a word as in x2): where it begins, or NULL; *len. */
const char *number_last(const char *s, size_t n, size_t *len);

#endif
