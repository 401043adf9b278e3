/* Numbers within a tolerance, which is small where none is given. */
#include "task/verifier.h"

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	extern const struct verifier verifier_math;
	struct verifier_options near = o ? *o : (struct verifier_options){0};

	if (near.absolute <= 0 && near.relative <= 0)
		near.relative = 1e-6;
	return verifier_math.same(a, a_n, b, b_n, &near, why);
}

const struct verifier verifier_number = {"number", "as math, numbers within abs= or rel= (1e-6 of the larger one, where neither is given)", same};
