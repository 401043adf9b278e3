/* The same words, whatever their case, spacing and wrapping. */
#include "base/buf.h"
#include "task/answer.h"
#include "task/verifier.h"

#include <string.h>

static bool same(const char *a, size_t a_n, const char *b, size_t b_n)
{
	struct buf x = {0}, y = {0};
	bool equal;

	answer_plain(a, a_n, &x);
	answer_plain(b, b_n, &y);
	equal = x.n == y.n && x.n && !memcmp(x.p, y.p, x.n);
	buf_free(&x);
	buf_free(&y);
	return equal;
}

const struct verifier verifier_text = {"text", "the same text, but for case, blanks and wrapping", same};
