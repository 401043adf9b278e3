/* What models write, in any bytes: extraction, notation, numbers, format and words. Two answers stand on both sides of the first NUL. */
#include <assert.h>
#include <string.h>

#include "task/answer.h"
#include "task/format.h"
#include "task/number.h"
#include "task/reflect.h"
#include "task/verifier.h"
#include "text/script.h"

static void inside(const char *part, size_t part_n, const char *s, size_t n)
{
	assert(!part || (part >= s && part + part_n <= s + n));
}

static void look(const char *s, size_t n)
{
	struct script_words w = {0};
	struct reflect *r = reflect_open(REFLECT_WORDS, NULL);
	struct found f;
	struct parts t;
	struct buf shown = {0};
	size_t len = 0;
	const char *number = number_last(s, n, &len);
	int prefilled;

	inside(number, len, s, n);
	for (prefilled = 0; prefilled < 2; prefilled++) {
		t = parts_of(s, n, prefilled);
		inside(t.think, t.think_n, s, n);
		inside(t.final, t.final_n, s, n);
		f = answer_find(t.final, t.final_n, "answer,boxed,answer-is,last-number,all");
		inside(f.text, f.n, s, n);
		assert(f.text || !t.final_n || f.how || strspn(t.final, " \t\n\r\f\v") == t.final_n);
		/* A completion in the format has its answer between the tags, unless that is blank. */
		if (!format_fault(s, n, prefilled, FORMAT_ANSWER)) {
			f = answer_find(t.final, t.final_n, "answer");
			assert(f.text || !strcmp(f.how, "it is empty"));
		}
	}
	script_count(s, n, &w);
	assert(w.all >= 0 && reflect_count(r, s, n) >= 0);
	answer_show(s, n, &shown);
	assert(shown.n <= 60 && !memchr(shown.p ? shown.p : "", '\n', shown.n));
	buf_free(&shown);
	reflect_close(r);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *s = (const char *)data, *nul = memchr(s, 0, size), *b = nul ? nul + 1 : s;
	size_t n = nul ? (size_t)(nul - s) : size, b_n = nul ? size - n - 1 : size;
	const struct verifier *const *v;

	look(s, size);
	for (v = verifier_table; *v; v++) {
		struct buf plain = {0};

		assert((*v)->same(s, n, b, b_n, NULL, NULL) == (*v)->same(b, b_n, s, n, NULL, NULL));
		answer_plain(s, n, &plain);
		assert((*v)->same(s, n, s, n, NULL, NULL) == ((*v)->judge ? n > 0 : plain.n > 0));
		buf_free(&plain);
	}
	return 0;
}
