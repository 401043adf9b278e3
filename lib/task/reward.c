#include "task/reward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/program.h"
#include "text/template.h"

extern const struct reward reward_accuracy;

struct rewards {
	size_t n;
	struct spec *spec;              /* (n) */
	const struct reward **kind;     /* (n) */
	struct named *value;            /* (n) */
	double last;                    /* the weighted sum of the last score */
	bool unanswered;
	double *sum, total;             /* (n) of the values that applied */
	size_t *count, totals;
	struct buf verdict;
	struct scored s;
};

static const struct reward *find(const char *text, struct err *e)
{
	const struct reward *const *r;
	struct buf names = {0};

	for (r = reward_table; *r; r++)
		if (spec_is(text, (*r)->about.name))
			return *r;
	for (r = reward_table; *r; r++)
		buf_printf(&names, "%s%s", names.n ? ", " : "", (*r)->about.name);
	err_set(e, "there is no reward '%.*s', only %s", (int)spec_name(text), text, names.p ? names.p : "none");
	buf_free(&names);
	return NULL;
}

struct rewards *rewards_open(const char *const *specs, size_t n, struct err *e)
{
	struct rewards *w = xcalloc(1, sizeof *w);
	size_t i, j;

	w->spec = xcalloc(n + 1, sizeof *w->spec);
	w->kind = xcalloc(n + 1, sizeof *w->kind);
	w->value = xcalloc(n + 1, sizeof *w->value);
	w->sum = xcalloc(n + 1, sizeof *w->sum);
	w->count = xcalloc(n + 1, sizeof *w->count);
	for (i = 0; i < n; i++) {
		w->kind[i] = find(specs[i], e);
		if (!w->kind[i] || spec_parse(&w->spec[i], specs[i], &w->kind[i]->about, true, e) < 0)
			goto bad;
		w->n++;
		w->value[i].name = w->spec[i].as;
		for (j = 0; j < i; j++) {
			if (!strcmp(w->spec[i].as, w->spec[j].as)) {
				err_set(e, "two rewards would be written as '%s': as=NAME gives one another name", w->spec[i].as);
				goto bad;
			}
		}
	}
	return w;
bad:
	rewards_close(w);
	return NULL;
}

void rewards_close(struct rewards *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; i < w->n; i++)
		spec_free(&w->spec[i]);
	buf_free(&w->verdict);
	buf_free(&w->s.reason);
	programs_free(w->s.programs);
	free(w->spec);
	free(w->kind);
	free(w->value);
	free(w->sum);
	free(w->count);
	free(w);
}

void rewards_programs(struct rewards *w, const char *command)
{
	programs_free(w->s.programs);
	w->s.programs = programs_new(command);
}

int scored_begin(struct scored *s, struct record *r, struct err *e)
{
	struct buf reason = s->reason;
	struct programs *programs = s->programs;

	buf_clear(&reason);
	*s = (struct scored){.record = r, .reason = reason, .programs = programs, .value = NAN, .accuracy = NAN};
	s->text = record_string(r, "completion", &s->n, e);
	if (!s->text)
		return -1;
	if (record_has(r, "prompt")) {
		size_t n;
		const char *prompt = record_string(r, "prompt", &n, e);

		if (!prompt)
			return -1;
		s->prefilled = template_thinks(prompt, n);
	}
	s->parts = parts_of(s->text, s->n, s->prefilled);
	return 0;
}

int scored_accuracy(struct scored *s, struct err *e)
{
	struct found extracted = s->extracted;
	int rc;

	if (s->judged)
		return 0;
	s->value = NAN;
	rc = reward_accuracy.score(reward_accuracy.about.defaults, s, e);
	s->value = NAN;
	s->extracted = extracted;
	buf_clear(&s->reason);
	return rc;
}

int rewards_ask(struct rewards *w, struct record *r, struct question *q, struct err *e)
{
	int rc = 0;
	size_t i;

	if (scored_begin(&w->s, r, e) < 0)
		return -1;
	for (i = 0; i < w->n && rc == 0; i++)
		if (w->kind[i]->ask)
			rc = w->kind[i]->ask(w->spec[i].options, &w->s, q, e);
	return rc;
}

int rewards_score(struct rewards *w, struct record *r, const struct opinions *o, struct err *e)
{
	struct found extracted = {0};
	bool extracts = false;
	double total = 0;
	size_t i;
	int rc;

	buf_clear(&w->verdict);
	if (scored_begin(&w->s, r, e) < 0)
		return -1;
	if (o)
		w->s.opinions = *o;
	for (i = 0; i < w->n; i++) {
		struct scored *s = &w->s;

		s->value = NAN;
		s->extracted = (struct found){0};
		buf_clear(&s->reason);
		rc = w->kind[i]->score(w->spec[i].options, s, e);
		if (rc < 0)
			return rc;
		w->value[i].value = s->value + 0.;      /* no -0 */
		if (!isnan(s->value))
			total += w->spec[i].weight * s->value;
		if (w->kind[i]->extracts && !extracts) {
			extracts = true;
			extracted = s->extracted;
		}
		if (s->reason.n) {
			buf_printf(&w->verdict, "%s%s", w->verdict.n ? "; " : "", w->kind[i]->extracts ? "" : w->spec[i].as);
			buf_printf(&w->verdict, "%s%s", w->kind[i]->extracts ? "" : ": ", s->reason.p);
		}
	}
	if (!isfinite(total))
		return record_error(r, e, "the weighted sum of its rewards is not finite");
	w->last = total;
	w->unanswered = extracts && !extracted.text && !w->s.parts.open;
	record_set_named(r, "rewards", w->value, w->n);
	record_set_number(r, "reward", total);
	if (extracts && extracted.text)
		record_set_string(r, "extracted", extracted.text, extracted.n);
	else if (extracts)
		record_set_null(r, "extracted");
	record_set_string(r, "verdict", w->verdict.n ? w->verdict.p : "", w->verdict.n);
	return 0;
}

size_t rewards_last(const struct rewards *from, double *value, size_t max)
{
	size_t i;

	for (i = 0; i <= from->n && i < max; i++)
		value[i] = i ? from->value[i - 1].value : from->last;
	return i;
}

void rewards_count(struct rewards *to, const double *value)
{
	size_t i;

	for (i = 0; i < to->n; i++) {
		if (!isnan(value[i + 1])) {
			to->sum[i] += value[i + 1];
			to->count[i]++;
		}
	}
	to->total += value[0];
	to->totals++;
}

bool rewards_unanswered(const struct rewards *w)
{
	return w->unanswered;
}

bool rewards_unverified(const struct rewards *w)
{
	return w->s.unverified;
}

size_t rewards_means(const struct rewards *w, struct reward_mean *to, size_t max)
{
	size_t i;

	for (i = 0; i <= w->n && i < max; i++) {
		size_t count = i ? w->count[i - 1] : w->totals;

		to[i] = (struct reward_mean){i ? w->spec[i - 1].as : "reward", (i ? w->sum[i - 1] : w->total) / (double)count, count};
	}
	return i;
}

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int completion_length(struct record *r, const char *text, size_t n, const char *unit, double *length, struct err *e)
{
	size_t i, count = 0;

	if (!strcmp(unit, "tokens")) {
		if (!record_ints(r, "completion_ids", &count, e))
			return -1;
	} else if (!strcmp(unit, "words")) {
		for (i = 0; i < n; i++)
			count += !blank(text[i]) && (i == 0 || blank(text[i - 1]));
	} else {
		for (i = 0; i < n; i++)
			count += ((unsigned char)text[i] & 0xc0) != 0x80;
	}
	*length = (double)count;
	return 0;
}
