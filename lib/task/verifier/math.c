/* Numbers by their value, exactly; what is no number, as text. */
#include "task/number.h"
#include "task/verifier.h"

/* A number, in brackets or not */
static bool parse(struct number *x, const char *s, size_t n)
{
	return number_parse(x, s, n) || (n > 2 && s[0] == '(' && s[n - 1] == ')' && number_parse(x, s + 1, n - 2));
}

static bool same_number(const struct buf *a, const struct buf *b)
{
	struct number x, y;

	return parse(&x, a->p, a->n) && parse(&y, b->p, b->n) && number_equal(&x, &y);
}

static bool same(const char *a, size_t a_n, const char *b, size_t b_n)
{
	return verifier_same(a, a_n, b, b_n, same_number);
}

const struct verifier verifier_math = {"math", "numbers by value, exactly; else as text", same};
