/* The same words, whatever their case, spacing and wrapping. */
#include "task/verifier.h"

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	(void)o, (void)why;
	return verifier_same(a, a_n, b, b_n, NULL);
}

const struct verifier verifier_text = {"text", "the same text, but for case, blanks and wrapping", same};
