/* annotate.c - what people of the town think of answers: a mark for each, or pairs of which one is clearly liked better
 *
 * A pair is judged four times, each time in a random order; the judge's mark is the answer's quality, give or take, and a little more for
 * what is shown first. A pair is kept where the mean marks are far enough apart.
 */
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/tool.h"

enum { JUDGED = 4, MOST_PAIRS = 4 };            /* times; pairs of a problem */
static const double spread = .35, for_the_first = .2, far = .4;

/* What stands in <answer>, or behind the reasoning */
static const char *final_answer(const char *s, size_t *n)
{
	const char *a = strstr(s, "<answer>"), *end = a ? strstr(a, "</answer>") : NULL, *think = strstr(s, "</think>");

	if (a) {
		*n = end ? (size_t)(end - a - 8) : strlen(a + 8);
		return a + 8;
	}
	s = think ? think + 8 : s;
	*n = strlen(s);
	return s;
}

static double quality_of(struct record *r, struct err *e)
{
	const char *completion = record_string(r, "completion", NULL, e), *problem = completion ? record_string(r, "problem", NULL, e) : NULL, *answer;
	size_t n;

	if (!problem)
		return NAN;
	answer = final_answer(completion, &n);
	return talk_quality(problem, answer, n);
}

static double judge(struct rng *r, double quality, bool first)
{
	return quality + spread * rng_normal(r) + (first ? for_the_first : 0);
}

static int put_pair(struct record *a, struct record *b, struct rng *r, struct writer *out, struct err *e)
{
	static const char *const same[] = {"id", "problem", "prompt"};
	const char *text[2] = {record_string(a, "completion", NULL, e), record_string(b, "completion", NULL, e)};
	double quality[2] = {quality_of(a, e), quality_of(b, e)}, mark[2] = {0};
	struct record rec = {0};
	size_t k;
	int i, rc;

	if (isnan(quality[0]) || isnan(quality[1]))
		return -1;
	if (!strcmp(text[0], text[1]))
		return 0;
	for (i = 0; i < JUDGED; i++) {
		const bool first = rng_below(r, 2);

		mark[0] += judge(r, quality[0], first) / JUDGED;
		mark[1] += judge(r, quality[1], !first) / JUDGED;
	}
	if (fabs(mark[0] - mark[1]) < far)
		return 0;
	for (k = 0; k < sizeof same / sizeof *same; k++) {
		const char *s = record_has(a, same[k]) ? record_string(a, same[k], NULL, e) : NULL;

		if (s)
			record_set_str(&rec, same[k], s);
	}
	record_set_str(&rec, "chosen", text[mark[1] > mark[0]]);
	record_set_str(&rec, "rejected", text[mark[1] <= mark[0]]);
	record_set_number(&rec, "margin", fabs(mark[0] - mark[1]));
	rc = writer_put(out, &rec, e);
	record_free(&rec);
	return rc;
}

static int put_pairs(const struct group *g, uint64_t seed, struct writer *out, struct err *e)
{
	struct rng r = rng_new(seed, hash_str(g->id));
	size_t i;

	for (i = 0; i + 1 < g->n && i < 2 * MOST_PAIRS; i += 2)
		if (put_pair(g->record[i], g->record[i + 1], &r, out, e) < 0)
			return -1;
	return 0;
}

int prefer(struct tool *t, char **files, int n, uint64_t seed, struct writer *out, struct err *e)
{
	struct reader *in = reader_open(files, (size_t)n, t);
	struct record r = {0};
	struct groups g = {0};
	size_t i;
	int rc;

	while ((rc = reader_next(in, &r, e)) > 0)
		if ((isnan(quality_of(&r, e)) || !groups_add(&g, &r, e)) && (rc = reader_bad(in, e)) < 0)
			break;
	for (i = 0; rc == 0 && i < g.n; i++)
		rc = put_pairs(g.group[i], seed, out, e);
	groups_free(&g);
	record_free(&r);
	reader_close(in);
	return rc < 0 ? -1 : 0;
}

int annotate(struct tool *t, char **files, int n, struct writer *out, struct err *e)
{
	struct reader *in = reader_open(files, (size_t)n, t);
	struct record r = {0};
	int rc;

	while ((rc = reader_next(in, &r, e)) > 0) {
		const double quality = quality_of(&r, e);

		if (isnan(quality)) {
			if ((rc = reader_bad(in, e)) < 0)
				break;
			continue;
		}
		record_set_number(&r, "quality", quality);
		record_set_bool(&r, "harmful", talk_is_harmful(record_string(&r, "problem", NULL, e)));
		record_set_bool(&r, "safe", talk_is_safe(record_string(&r, "problem", NULL, e), record_string(&r, "completion", NULL, e)));
		if ((rc = writer_put(out, &r, e)) < 0)
			break;
	}
	record_free(&r);
	reader_close(in);
	return rc < 0 ? -1 : 0;
}
