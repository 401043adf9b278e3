/* Mathematical answers: pairs by hand, both ways; and what must not take long. */
#include "test.h"

#include <time.h>

#include "task/math.h"
#include "task/verifier.h"

/* As r1-reward has it: by its verifier, which takes what is no mathematics as text */
static void pairs(void)
{
	const struct verifier *v = verifier_find("math", NULL);
	FILE *f = fopen("tests/unit/math/pairs.txt", "r");
	char line[4096];
	int n = 0, bad = 0;

	CHECK(f);
	while (fgets(line, sizeof line, f)) {
		char *a = line + 2, *b = strchr(line, '\t');
		bool one, other;

		if (*line == '#' || !b)
			continue;
		*b++ = 0;
		b[strcspn(b, "\n")] = 0;
		one = v->same(a, strlen(a), b, strlen(b), NULL, NULL);
		other = v->same(b, strlen(b), a, strlen(a), NULL, NULL);
		if (one != other || one != (*line == '=')) {
			struct buf why = {0};
			enum math_verdict verdict = math_compare(a, strlen(a), b, strlen(b), NULL, &why);

			fprintf(stderr, "%s and %s: %d, the other way %d, and not %c (%d %s)\n", a, b, one, other, *line, verdict, why.p ? why.p : "");
			buf_free(&why);
			bad++;
		}
		n++;
	}
	fclose(f);
	CHECK_INT(bad, 0);
	CHECK(n >= 600);
}

static void bounded(const char *what, const char *a, size_t n)
{
	clock_t begun = clock();

	CHECK(math_compare(a, n, "1", 1, NULL, NULL) != MATH_SAME);
	CHECK(math_compare("x+1", 3, a, n, NULL, NULL) != MATH_SAME);
	if (clock() - begun > 4 * CLOCKS_PER_SEC)       /* both together; sanitizers and all */
		TEST_FAIL("%s takes too long", what);
}

/* As often as it goes into n bytes */
static void repeat(char *s, size_t n, const char *what)
{
	const size_t len = strlen(what);
	size_t i;

	for (i = 0; i + len <= n; i += len)
		memcpy(s + i, what, len);
}

static void attacks(void)
{
	const size_t big = 10 << 20;
	char *s = malloc(big);

	memset(s, '(', big);
	bounded("brackets", s, big);
	bounded("some brackets", s, 15000);
	repeat(s, big, "9^");
	s[14999] = '9';
	bounded("a tower", s, 14999);
	bounded("a small tower", "9^9^9^9^9^9^9", 13);
	repeat(s, 89, "2^");
	s[88] = '2';
	bounded("a high tower", s, 89);
	bounded("factorials", "((((9!)!)!)!)!", 14);
	bounded("a factorial", "1000000000!", 11);
	bounded("an exponent", "10^{10^{10}}", 12);
	bounded("roots", "\\sqrt{\\sqrt{\\sqrt{2+\\sqrt{3+\\sqrt{5+\\sqrt{7}}}}}}+\\sqrt[199]{11}", 62);
	bounded("a binomial", "\\binom{100000000}{50000000}", 27);
	repeat(s, 15000, "+-x");
	bounded("signs", s, 14998);
	repeat(s, 15000, "{x|");
	bounded("sets of sets", s, 14998);
	bounded("some sets of sets", s, 30);
	memcpy(s + 30, "x>1}}}}}}}}}}", 13);
	bounded("sets of sets that end", s, 43);
	bounded("equations of equations", "1=(1=(1=(1=(1=(1=(1=(1=(1=(1=(1=(1=1)))))))))))", 47);
	bounded("approximations", "\\pi\\approx(\\pi\\approx(\\pi\\approx(\\pi\\approx(\\pi\\approx(\\pi\\approx3)))))", 71);
	repeat(s, 15000, "1=+");
	bounded("a chain", s, 14998);
	repeat(s, 15000, "2:");
	bounded("a ratio", s, 14999);
	repeat(s, 15000, "(x+y)*");
	bounded("a product", s, 14999);
	memset(s, '9', 15000);
	bounded("digits", s, 15000);
	bounded("1e999999999", "1e999999999", 11);
	free(s);
}

int main(void)
{
	struct math_options near = {.tolerant = true, .absolute = 0, .relative = 1e-2};
	const char *a = "3.14", *b = "\\pi";

	pairs();
	attacks();
	CHECK_INT(math_compare(a, 4, b, 3, NULL, NULL), MATH_DIFFERENT);
	CHECK_INT(math_compare(a, 4, b, 3, &near, NULL), MATH_SAME);
	CHECK_INT(math_compare("2,1", 3, "1,2", 3, NULL, NULL), MATH_SAME);
	near.ordered = true;
	CHECK_INT(math_compare("2,1", 3, "1,2", 3, &near, NULL), MATH_DIFFERENT);
	return 0;
}
