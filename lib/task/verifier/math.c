/* Mathematics by what it means, exactly (task/math.h); what is none, as text. */
#include "task/answer.h"
#include "task/math.h"
#include "task/verifier.h"

static bool same(const char *a, size_t a_n, const char *b, size_t b_n)
{
	return verifier_same(a, a_n, b, b_n, NULL) || math_compare(a, a_n, b, b_n, NULL, NULL) == MATH_SAME;
}

const struct verifier verifier_math = {"math", "by what it means, exactly: numbers, expressions, sets, intervals, equations; else as text", same};
