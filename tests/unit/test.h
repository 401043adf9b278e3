/* test.h - checks for unit tests: silent when they hold; one line on stderr and exit 1 when they do not
 *
 *     #include "test.h"
 *
 *     int main(void)
 *     {
 *             CHECK(buf.n == 3);
 *             CHECK_INT(count_lines("a\nb\n"), 2);             // says both values when they differ
 *             CHECK_STR(e.msg, "x.jsonl:1: 'id' is missing");
 *             CHECK_NEAR(loss, 0.6931471805599453, 1e-12);    // |a - b| <= tolerance, false for NaN
 *             return 0;
 *     }
 *
 * Tests run with the project's root as their working folder; test_scratch() names a folder of their own to write into.
 */
#ifndef TEST_H
#define TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEST_FAIL(...) (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

#define CHECK(cond) do { if (!(cond)) TEST_FAIL("not so: %s", #cond); } while (0)

#define CHECK_INT(got, want) do { \
	long long test_got = (long long)(got), test_want = (long long)(want); \
	if (test_got != test_want) \
		TEST_FAIL("%s is %lld, not %lld", #got, test_got, test_want); \
} while (0)

#define CHECK_STR(got, want) do { \
	const char *test_got = (got), *test_want = (want); \
	if (!test_got || strcmp(test_got, test_want) != 0) \
		TEST_FAIL("%s is\n\t%s\nand not\n\t%s", #got, test_got ? test_got : "(null)", test_want); \
} while (0)

#define CHECK_MEM(got, got_n, want, want_n) do { \
	const char *test_got = (const char *)(got), *test_want = (const char *)(want); \
	size_t test_gn = (size_t)(got_n), test_wn = (size_t)(want_n), test_i = 0; \
	while (test_i < test_gn && test_i < test_wn && test_got[test_i] == test_want[test_i]) \
		test_i++; \
	if (test_i < test_gn || test_i < test_wn) \
		TEST_FAIL("%s (%zu bytes) differs from %s (%zu bytes) at byte %zu", #got, test_gn, #want, test_wn, test_i); \
} while (0)

#define CHECK_NEAR(got, want, tolerance) do { \
	double test_got = (double)(got), test_want = (double)(want), test_tol = (double)(tolerance); \
	if (!(fabs(test_got - test_want) <= test_tol) && !(test_got == test_want)) \
		TEST_FAIL("%s is %.17g, not within %g of %.17g", #got, test_got, test_tol, test_want); \
} while (0)

/* An empty folder to write into; make test names it in R1_SCRATCH. */
static inline const char *test_scratch(void)
{
	static char dir[4096];

	if (!dir[0]) {
		const char *s = getenv("R1_SCRATCH");

		snprintf(dir, sizeof dir, "%s", s ? s : "/tmp/r1-test-XXXXXX");
		if (!s && !mkdtemp(dir))
			TEST_FAIL("no scratch folder: %s", dir);
	}
	return dir;
}

#endif
