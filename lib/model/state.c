#include "model/state.h"

int state_read(struct checkpoint *ck, struct state *s, struct err *e)
{
	const struct checkpoint_file *f;
	const struct js *step, *tokens;
	struct js *j;
	int rc = 0;

	*s = (struct state){0};
	e->msg[0] = 0;
	f = checkpoint_file(ck, "state.json", e);
	if (!f)
		return e->msg[0] ? -1 : 0;
	j = js_parse(f->text, f->n, f->path, e);
	if (!j)
		return -1;
	step = js_get(j, "step");
	tokens = js_get(j, "num_tokens");
	if (!js_is_int(step))
		rc = err_set(e, "%s: 'step' is %s, not a whole number", f->path, js_type(step));
	else if (!js_is_int(tokens))
		rc = err_set(e, "%s: 'num_tokens' is %s, not a whole number", f->path, js_type(tokens));
	*s = (struct state){js_int(step), js_int(tokens)};
	js_free(j);
	return rc;
}

struct js *state_run(struct checkpoint *ck)
{
	struct err none;
	const struct checkpoint_file *f = checkpoint_file(ck, "state.json", &none);
	struct js *j = f ? js_parse(f->text, f->n, f->path, &none) : NULL, *run = NULL;

	if (js_get(j, "run"))
		run = js_copy(js_get(j, "run"));
	js_free(j);
	return run;
}

int state_write(struct checkpoint_writer *w, const struct state *s, const struct js *run, struct err *e)
{
	struct buf text = {0};
	int rc;

	buf_printf(&text, "{\"step\": %lld, \"num_tokens\": %lld", (long long)s->step, (long long)s->tokens);
	if (run) {
		buf_str(&text, ", \"run\": ");
		js_write(run, 0, &text);
	}
	buf_str(&text, "}\n");
	rc = checkpoint_add_file(w, "state.json", text.p, text.n, e);
	buf_free(&text);
	return rc;
}
