/* Programs: their tests are run in a jail. */
#include <string.h>

#include "task/program.h"
#include "task/reward.h"
#include "task/verifier.h"

/* For votes: the same text */
static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	(void)o, (void)why;
	return a_n && a_n == b_n && !memcmp(a, b, a_n);
}

static int judge(struct scored *s, struct err *e)
{
	struct judgement j = {0};
	int rc;

	if (!s->programs)
		return record_error(s->record, e, "programs cannot be judged here");
	if (!record_has(s->record, "tests")) {
		buf_str(&s->reason, "no tests");
		return 0;
	}
	rc = programs_judge(s->programs, s->record, s->parts.final, s->parts.final_n, &j, e);
	s->value = j.value;
	s->extracted = j.program;
	if (j.reason.n)
		buf_add(&s->reason, j.reason.p, j.reason.n);
	buf_free(&j.reason);
	return rc;
}

const struct verifier verifier_code = {"code", "programs by their tests, run in a jail", same, judge};
