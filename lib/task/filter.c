#include "task/filter.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/reward.h"

struct filters {
	size_t n;
	struct spec *spec;              /* (n) */
	const struct filter **kind;     /* (n) */
	void **state;                   /* (n) */
	int64_t *count;                 /* (n) rejected */
	int64_t read, kept;
	struct candidate *candidate;    /* those of a group */
	size_t cap;
};

static const struct filter *find(const char *text, struct err *e)
{
	const struct filter *const *f;
	struct buf names = {0};

	for (f = filter_table; *f; f++)
		if (spec_is(text, (*f)->about.name))
			return *f;
	for (f = filter_table; *f; f++)
		buf_printf(&names, "%s%s", names.n ? ", " : "", (*f)->about.name);
	err_set(e, "there is no filter '%.*s', only %s", (int)spec_name(text), text, names.p ? names.p : "none");
	buf_free(&names);
	return NULL;
}

struct filters *filters_open(const char *const *specs, size_t n, struct err *e)
{
	struct filters *f = xcalloc(1, sizeof *f);
	size_t i;

	f->spec = xcalloc(n + 1, sizeof *f->spec);
	f->kind = xcalloc(n + 1, sizeof *f->kind);
	f->state = xcalloc(n + 1, sizeof *f->state);
	f->count = xcalloc(n + 1, sizeof *f->count);
	for (i = 0; i < n; i++) {
		f->kind[i] = find(specs[i], e);
		if (!f->kind[i] || spec_parse(&f->spec[i], specs[i], &f->kind[i]->about, false, e) < 0) {
			filters_close(f);
			return NULL;
		}
		f->n++;
	}
	return f;
}

int filters_begin(struct filters *f, struct tool *t, struct err *e)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (!f->kind[i]->open)
			continue;
		f->state[i] = f->kind[i]->open(f->spec[i].options, t, e);
		if (!f->state[i])
			return err_prefix(e, "%s", f->kind[i]->about.name);
	}
	return 0;
}

void filters_close(struct filters *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->n; i++) {
		if (f->state[i])
			f->kind[i]->close(f->state[i]);
		spec_free(&f->spec[i]);
	}
	for (i = 0; i < f->cap; i++)
		buf_free(&f->candidate[i].reason);
	free(f->candidate);
	free(f->spec);
	free(f->kind);
	free(f->state);
	free(f->count);
	free(f);
}

bool filters_grouped(const struct filters *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->kind[i]->grouped && f->kind[i]->grouped(f->spec[i].options))
			return true;
	return false;
}

int filters_look(struct filters *f, struct record *r, struct err *e)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->kind[i]->look && f->kind[i]->look(f->spec[i].options, r, e) < 0)
			return -1;
	return 0;
}

void filter_reject(struct candidate *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = (size_t)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n >= sizeof text) {                 /* not to end within a character */
		for (n = sizeof text - 1; n && (text[n - 1] & 0xc0) == 0x80; n--)
			;
		n -= n && text[n - 1] & 0x80;
	}
	c->rejected = true;
	buf_clear(&c->reason);
	buf_add(&c->reason, text, n);
}

const char *filter_field(const struct record *r)
{
	return record_has(r, "chosen") ? "rejected_by" : "rejected";
}

/* Those that filter i rejects get their field and leave the row; how many are left. */
static size_t settle(struct filters *f, size_t i, size_t n)
{
	size_t j, left = 0;

	for (j = 0; j < n; j++) {
		struct candidate *c = &f->candidate[j], kept = *c;

		if (c->rejected) {
			struct buf why = {0};

			buf_printf(&why, "%s%s%s", f->kind[i]->about.name, c->reason.n ? ": " : "", c->reason.n ? c->reason.p : "");
			record_set_string(c->record, filter_field(c->record), why.p, why.n);
			buf_free(&why);
			f->count[i]++;
		} else {
			f->candidate[j] = f->candidate[left];
			f->candidate[left++] = kept;
		}
	}
	return left;
}

void filters_apply(struct filters *f, struct record *const *r, size_t n)
{
	size_t i, cap = f->cap;

	f->candidate = xgrow(f->candidate, &f->cap, n, sizeof *f->candidate);
	if (f->cap > cap)
		memset(f->candidate + cap, 0, (f->cap - cap) * sizeof *f->candidate);
	for (i = 0; i < n; i++) {
		if (record_has(r[i], filter_field(r[i])))
			record_set_null(r[i], filter_field(r[i]));      /* keeps its place, should there be another reason */
		f->candidate[i].record = r[i];
		f->candidate[i].rejected = false;
		buf_clear(&f->candidate[i].reason);
	}
	f->read += (int64_t)n;
	for (i = 0; i < f->n && n; i++) {
		f->kind[i]->apply(f->spec[i].options, f->state[i], f->candidate, n);
		n = settle(f, i, n);
	}
	for (i = 0; i < n; i++)
		record_remove(f->candidate[i].record, filter_field(f->candidate[i].record));
	f->kept += (int64_t)n;
}

int64_t filters_read(const struct filters *f)
{
	return f->read;
}

int64_t filters_kept(const struct filters *f)
{
	return f->kept;
}

const char *filters_rejected(const struct filters *f, size_t i, int64_t *count)
{
	if (i >= f->n)
		return NULL;
	*count = f->count[i];
	return f->spec[i].as;
}

int filter_look_completion(const void *options, struct record *r, struct err *e)
{
	struct scored s = {0};

	(void)options;
	return scored_begin(&s, r, e);
}

int filter_reward(struct record *r, const char *name, double *value, struct err *e)
{
	struct named *x;
	size_t n, i;

	if (!*name || !strcmp(name, "reward"))
		return record_number(r, "reward", value, e);
	x = record_named(r, "rewards", &n, e);
	if (!x)
		return -1;
	for (i = 0; i < n; i++) {
		if (!strcmp(x[i].name, name)) {
			*value = x[i].value;
			return 0;
		}
	}
	return record_error(r, e, "'rewards' has no '%s'", name);
}

double filter_value(struct record *r, const char *name)
{
	struct err e;
	double value;

	return filter_reward(r, name, &value, &e) < 0 ? NAN : value;
}
