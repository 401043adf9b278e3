/* Mathematical answers in any bytes: no input hangs or breaks the comparison, and it is the same both ways round. Two answers stand on both
 * sides of the first NUL. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "task/math.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct math_options near = {.tolerant = true, .absolute = 1e-3, .relative = 1e-6}, ordered = {.ordered = true};
	const char *a = (const char *)data, *nul = memchr(a, 0, size), *b = nul ? nul + 1 : "x+1";
	const size_t n = nul ? (size_t)(nul - a) : size, b_n = nul ? size - n - 1 : 3;
	const clock_t begun = clock();
	struct buf why = {0};
	enum math_verdict v = math_compare(a, n, b, b_n, NULL, &why);

	assert((v == MATH_UNDECIDED) == (why.n > 0));
	assert(v == math_compare(b, b_n, a, n, NULL, NULL));
	math_compare(a, n, b, b_n, &near, NULL);
	assert(v != MATH_DIFFERENT || math_compare(a, n, b, b_n, &ordered, NULL) != MATH_SAME);
	buf_free(&why);
	assert(clock() - begun < 4 * 4 * CLOCKS_PER_SEC);       /* a second for each, four times that under sanitizers */
	return 0;
}
