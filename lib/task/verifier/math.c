/* Mathematics by what it means, exactly (task/math.h); what is none, as text. */
#include "task/answer.h"
#include "task/math.h"
#include "task/verifier.h"

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	struct math_options options = {0};

	if (o)
		options = (struct math_options){o->absolute > 0 || o->relative > 0, o->absolute, o->relative, o->order == ORDER_KEPT};
	return verifier_same(a, a_n, b, b_n, NULL) || math_compare(a, a_n, b, b_n, &options, why) == MATH_SAME;
}

const struct verifier verifier_math = {"math", "by what it means, exactly: numbers, expressions, sets, intervals, equations; else as text", same};
