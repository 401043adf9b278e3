/* Numbers by their value, exactly; what is no number, as text. */
#include "base/buf.h"
#include "task/answer.h"
#include "task/number.h"
#include "task/verifier.h"

#include <string.h>

/* A number, in brackets or not */
static bool parse(struct number *x, const char *s, size_t n)
{
	return number_parse(x, s, n) || (n > 2 && s[0] == '(' && s[n - 1] == ')' && number_parse(x, s + 1, n - 2));
}

static bool same(const char *a, size_t a_n, const char *b, size_t b_n)
{
	struct buf x = {0}, y = {0};
	struct number n, m;
	bool equal;

	answer_plain(a, a_n, &x);
	answer_plain(b, b_n, &y);
	equal = x.n == y.n && x.n && !memcmp(x.p, y.p, x.n);
	if (!equal && x.n && y.n)
		equal = parse(&n, x.p, x.n) && parse(&m, y.p, y.n) && number_equal(&n, &m);
	buf_free(&x);
	buf_free(&y);
	return equal;
}

const struct verifier verifier_math = {"math", "numbers by value, exactly; else as text", same};
