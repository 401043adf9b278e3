#include "model/outlet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/resume.h"

struct problem {
	struct problem *next;
	struct record record;
	int64_t samples, written;
	struct outcome {
		bool ready, failed;
		struct buf line;                /* what is to be written */
		struct resume_line at;          /* ... or where it is */
	} *outcome;                             /* [samples] */
};

struct outlet {
	struct outlet_params p;
	struct writer *out;             /* NULL where there is resume */
	struct resume *resume;
	struct problem *head, **tail;
	struct buf text, line;
};

struct outlet *outlet_open(const struct outlet_params *p, struct err *e)
{
	struct outlet *o = xcalloc(1, sizeof *o);

	o->p = *p;
	o->tail = &o->head;
	if (!p->resume) {
		o->out = writer_open(p->output, e);
	} else {
		o->resume = resume_open(p->resume, e);
		if (o->resume && resume_kept(o->resume))
			tool_note("%s: %lld completion%s there already%s", p->resume, (long long)resume_kept(o->resume),
				  resume_kept(o->resume) == 1 ? " is" : "s are",
				  resume_cut(o->resume) ? ", and a half one that is made anew" : "");
	}
	if (o->out || o->resume)
		return o;
	outlet_close(o, false, NULL);
	return NULL;
}

static void free_problem(struct problem *q)
{
	int64_t i;

	for (i = 0; i < q->samples; i++)
		buf_free(&q->outcome[i].line);
	free(q->outcome);
	record_free(&q->record);
	free(q);
}

int outlet_close(struct outlet *o, bool whole, struct err *e)
{
	struct problem *q;
	int rc = 0;

	if (!o)
		return 0;
	if (resume_close(o->resume, whole, e) < 0 || writer_close(o->out, whole ? e : NULL) < 0)
		rc = -1;
	while ((q = o->head)) {
		o->head = q->next;
		free_problem(q);
	}
	buf_free(&o->text);
	buf_free(&o->line);
	free(o);
	return rc;
}

bool outlet_appears(const struct outlet *o)
{
	return writer_appears(o->out);
}

void outlet_set_step(struct outlet *o, int64_t step)
{
	assert(!o->head);
	o->p.step = step;
}

static void set_stop(const struct outlet *o, struct record *r)
{
	struct js *all;
	size_t i;

	if (!o->p.how->stops) {
		record_remove(r, "stop");
		return;
	}
	all = js_array();
	for (i = 0; i < o->p.how->stops; i++)
		js_push(all, js_new_str(o->p.how->stop[i]));
	record_set_js(r, "stop", all);
	js_free(all);
}

static void make_record(const struct outlet *o, const struct problem *q, int64_t k, const struct made *m, struct record *r)
{
	record_copy(r, &q->record);
	record_set_int(r, "sample", o->p.first + k);
	record_set_int(r, "group", o->p.group);
	record_set_string(r, "completion", m->text, m->n);
	if (m->id)
		record_set_ints(r, "completion_ids", m->id, m->tokens);
	else
		record_remove(r, "completion_ids");
	if (m->logprob)
		record_set_floats(r, "logprobs", m->logprob, m->tokens);
	else
		record_remove(r, "logprobs");
	record_set_str(r, "finish_reason", m->finish);
	record_set_str(r, "model", o->p.model);
	if (o->p.step >= 0)
		record_set_int(r, "step", o->p.step);
	else
		record_remove(r, "step");
	record_set_uint(r, "seed", o->p.how->seed);
	record_set_number(r, "temperature", o->p.how->temperature);
	record_set_number(r, "top_p", o->p.how->top_p);
	if (o->p.how->top_k)
		record_set_int(r, "top_k", o->p.how->top_k);
	else
		record_remove(r, "top_k");
	if (o->p.how->min_p > 0)
		record_set_number(r, "min_p", o->p.how->min_p);
	else
		record_remove(r, "min_p");
	set_stop(o, r);
}

/* ---- what is there already ---- */

static void field_text(struct record *r, const char *name, struct buf *to)
{
	struct err none;
	const struct js *j = record_has(r, name) ? record_js(r, name, &none) : NULL;

	buf_clear(to);
	if (j)
		js_write(j, 0, to);
	else
		buf_str(to, "missing");
}

/* Why a completion that is there is not what this command would write. */
static int tell_difference(struct record *kept, struct record *want, struct err *e)
{
	static const char *const names[] = {"model", "step", "seed", "temperature", "top_p", "top_k", "min_p", "stop", "group", "prompt", "prompt_ids"};
	struct buf a = {0}, b = {0};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		field_text(kept, names[i], &a);
		field_text(want, names[i], &b);
		if (a.n != b.n || memcmp(a.p, b.p, a.n) != 0)
			break;
	}
	if (i < sizeof names / sizeof names[0])
		record_error(kept, e, "'%s' is %.120s, but %.120s by this command: it is of another run", names[i], a.p, b.p);
	else
		record_error(kept, e, "is not what this command makes of the problem: it is of another run, or was edited");
	buf_free(&a);
	buf_free(&b);
	return -1;
}

static int read_made(struct outlet *o, struct record *r, struct made *m, struct err *e)
{
	size_t logprobs;

	if ((o->p.text || record_has(r, "completion_ids")) && !(m->id = record_ints(r, "completion_ids", &m->tokens, e)))
		return -1;
	if (o->p.text || record_has(r, "logprobs")) {
		m->logprob = record_floats(r, "logprobs", &logprobs, e);
		if (!m->logprob)
			return -1;
		if (m->id && logprobs != m->tokens)
			return record_error(r, e, "'logprobs' has %zu numbers for %zu completion_ids", logprobs, m->tokens);
		m->tokens = logprobs;
	}
	if (!(m->finish = record_string(r, "finish_reason", NULL, e)))
		return -1;
	if (!o->p.text)
		return (m->text = record_string(r, "completion", &m->n, e)) ? 0 : -1;
	buf_clear(&o->text);
	o->p.text(o->p.arg, m->id, m->tokens, &o->text);
	m->text = o->text.p ? o->text.p : "";
	m->n = o->text.n;
	return 0;
}

/* A completion is as long as it can be where it was cut, and never longer. */
static int check_length(const struct outlet *o, struct record *kept, const struct made *m, struct err *e)
{
	int64_t most = o->p.how->max_tokens, tokens = (int64_t)m->tokens;
	size_t prompt = 0;

	if (!m->id || !most)
		return 0;
	if (o->p.context && record_has(kept, "prompt_ids") && !record_ints(kept, "prompt_ids", &prompt, e))
		return -1;
	if (o->p.context && o->p.context - (int64_t)prompt < most)
		most = o->p.context - (int64_t)prompt;
	if (tokens > most || (o->p.context && tokens < most && !strcmp(m->finish, "length")))
		return record_error(kept, e, "'completion_ids' has %lld tokens, and 'finish_reason' is %s, where this command writes %lld at most: it is of another run",
				    (long long)tokens, m->finish, (long long)most);
	return 0;
}

static int check_kept(struct outlet *o, struct problem *q, int64_t k, struct record *kept, struct err *e)
{
	struct made m = {0};
	struct record want = {0};
	int rc = 0;

	if (read_made(o, kept, &m, e) < 0 || check_length(o, kept, &m, e) < 0)
		return -1;
	make_record(o, q, k, &m, &want);
	buf_clear(&o->line);
	record_write(&want, &o->line);
	if (o->line.n != kept->raw.n || memcmp(o->line.p, kept->raw.p, kept->raw.n) != 0)
		rc = tell_difference(kept, &want, e);
	record_free(&want);
	return rc;
}

static int take_kept(struct outlet *o, struct problem *q, struct err *e)
{
	struct record kept = {0};
	const char *id;
	size_t n;
	int64_t k;
	int rc = 0;

	if (!(id = record_string(&q->record, "id", &n, e)))
		return -1;
	for (k = 0; rc >= 0 && k < q->samples; k++) {
		rc = resume_find(o->resume, id, n, o->p.first + k, &kept, &q->outcome[k].at, e);
		if (rc > 0) {
			q->outcome[k].ready = true;
			rc = check_kept(o, q, k, &kept, e);
		}
	}
	record_free(&kept);
	return rc < 0 ? -1 : 0;
}

/* ---- problems and completions ---- */

struct problem *outlet_add(struct outlet *o, struct record *r, struct err *e)
{
	struct problem *q = xcalloc(1, sizeof *q);

	q->samples = o->p.samples;
	q->outcome = xcalloc((size_t)q->samples, sizeof *q->outcome);
	q->record = *r;
	if (o->resume && take_kept(o, q, e) < 0) {
		*r = q->record;         /* with what its getters have given out */
		q->record = (struct record){0};
		free_problem(q);
		return NULL;
	}
	*r = (struct record){0};
	*o->tail = q;
	o->tail = &q->next;
	return q;
}

bool outlet_due(const struct problem *q, int64_t k)
{
	return !q->outcome[k].ready;
}

struct record *outlet_record(struct problem *q)
{
	return &q->record;
}

int outlet_put(struct outlet *o, struct problem *q, int64_t k, const struct made *m, struct err *e)
{
	struct outcome *out = &q->outcome[k];
	struct record r = {0};
	int rc = 0;

	make_record(o, q, k, m, &r);
	if (o->resume) {
		rc = resume_add(o->resume, &r, &out->at, e);
	} else {
		record_write(&r, &out->line);
		buf_char(&out->line, '\n');
	}
	record_free(&r);
	out->ready = true;
	return rc;
}

void outlet_fail(struct problem *q, int64_t k)
{
	q->outcome[k].ready = q->outcome[k].failed = true;
}

int outlet_write(struct outlet *o, struct err *e)
{
	struct problem *q;
	int rc = 0;

	while ((q = o->head)) {
		for (; q->written < q->samples && q->outcome[q->written].ready; q->written++) {
			struct outcome *out = &q->outcome[q->written];

			if (out->failed && !o->p.pass_failed)
				return 0;
			if (out->failed)
				continue;
			if (o->resume)
				resume_order(o->resume, out->at);
			else
				rc = writer_text(o->out, out->line.p, out->line.n, e);
			buf_free(&out->line);
			if (rc < 0)
				return -1;
		}
		if (q->written < q->samples)
			return 0;
		o->head = q->next;
		if (!o->head)
			o->tail = &o->head;
		free_problem(q);
	}
	return 0;
}
