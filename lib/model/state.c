#include "model/state.h"

#include <stdio.h>

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

int state_write(struct checkpoint_writer *w, const struct state *s, struct err *e)
{
	char text[128];
	int n = snprintf(text, sizeof text, "{\"step\": %lld, \"num_tokens\": %lld}\n", (long long)s->step, (long long)s->tokens);

	return checkpoint_add_file(w, "state.json", text, (size_t)n, e);
}
