#include "model/state.h"

#include <stdio.h>
#include <string.h>

int state_count(const struct checkpoint_file *f, const struct js *j, const char *name, int64_t *to, struct err *e)
{
	const int64_t most = (int64_t)1 << 53;          /* counted on, it stays within 64 bits */
	const struct js *x = js_get(j, name);

	if (!js_is_int(x))
		return err_set(e, "%s: '%s' is %s, not a whole number", f->path, name, js_type(x));
	if (js_int(x) < 0 || js_int(x) > most)
		return err_set(e, "%s: '%s' is %lld, not between 0 and 2^53", f->path, name, (long long)js_int(x));
	*to = js_int(x);
	return 0;
}

int state_read(struct checkpoint *ck, struct state *s, struct err *e)
{
	const struct checkpoint_file *f;
	struct js *j;
	int rc;

	*s = (struct state){0};
	e->msg[0] = 0;
	f = checkpoint_file(ck, RUN_STATE, e);
	if (!f)
		return e->msg[0] ? -1 : 0;
	j = js_parse(f->text, f->n, f->path, e);
	if (!j)
		return -1;
	rc = state_count(f, j, "step", &s->step, e) < 0 || state_count(f, j, "num_tokens", &s->tokens, e) < 0 ? -1 : 0;
	js_free(j);
	return rc;
}

struct js *state_member(struct checkpoint *ck, const char *name)
{
	struct err none;
	const struct checkpoint_file *f = checkpoint_file(ck, RUN_STATE, &none);
	struct js *j = f ? js_parse(f->text, f->n, f->path, &none) : NULL, *member = NULL;

	if (js_get(j, name))
		member = js_copy(js_get(j, name));
	js_free(j);
	return member;
}

int state_write(struct checkpoint_writer *w, const struct state *s, const struct js *run, const struct js *since, struct err *e)
{
	struct buf text = {0};
	int rc;

	buf_printf(&text, "{\"step\": %lld, \"num_tokens\": %lld", (long long)s->step, (long long)s->tokens);
	if (run) {
		buf_str(&text, ", \"run\": ");
		js_write(run, 0, &text);
	}
	if (since) {
		buf_str(&text, ", \"since\": ");
		js_write(since, 0, &text);
	}
	buf_str(&text, "}\n");
	rc = checkpoint_add_file(w, RUN_STATE, text.p, text.n, e);
	buf_free(&text);
	return rc;
}

void run_set_hash(struct js *run, const char *name, uint64_t hash)
{
	char text[24];

	snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
	js_set(run, name, js_new_str(text));
}

void run_set_option(struct js *run, const struct opt *opts, const char *name)
{
	char text[24];
	const char *s = text;

	while (!opts->name || strcmp(opts->name, name) != 0)
		opts++;
	if (opts->type == OPT_UINT)             /* more than a JSON integer holds */
		snprintf(text, sizeof text, "%llu", (unsigned long long)*(uint64_t *)opts->value);
	else if (opts->type != OPT_INT && opts->type != OPT_FLOAT)
		s = *(const char **)opts->value;
	js_set(run, name, opts->type == OPT_INT ? js_new_int(*(int64_t *)opts->value) : opts->type == OPT_FLOAT ? js_new_number(*(double *)opts->value)
		: js_new_str(s));
}

int run_check(const struct js *run, const struct js *there, const char *path, const char *model, struct err *e)
{
	struct js_iter it;
	int rc = 0;

	for (it = js_each(run); rc == 0 && js_next(&it);) {
		const struct js *old = js_get(there, it.key);
		struct buf a = {0}, b = {0};

		if (!old)
			continue;
		js_write(old, 0, &a);
		js_write(it.value, 0, &b);
		if (a.n != b.n || memcmp(a.p, b.p, a.n) != 0)
			rc = !strcmp(it.key, "model") ? err_set(e, "%s: is of another run: it began with another model than %s", path, model)
				: !strcmp(it.key, "data") ? err_set(e, "%s: is of another run: its examples are others", path)
				: err_set(e, "%s: is of another run: --%s was %.200s and is %.200s now", path, it.key, a.p, b.p);
		buf_free(&a);
		buf_free(&b);
	}
	return rc;
}
