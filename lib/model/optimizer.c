#include "model/optimizer.h"

#include <math.h>
#include <stdlib.h>

#include "record/json.h"

struct optimizer *optimizer_new(struct model *m, const struct optimizer_args *args)
{
	struct optimizer *o = xcalloc(1, sizeof *o);
	size_t bytes = (size_t)m->params.size * sizeof *o->exp_avg;

	*o = (struct optimizer){.m = m, .args = *args};
	o->exp_avg = m->be->alloc(m->be, bytes);
	o->exp_avg_sq = m->be->alloc(m->be, bytes);
	m->be->zero(m->be, o->exp_avg, bytes);
	m->be->zero(m->be, o->exp_avg_sq, bytes);
	return o;
}

void optimizer_free(struct optimizer *o)
{
	if (!o)
		return;
	o->m->be->free(o->m->be, o->exp_avg);
	o->m->be->free(o->m->be, o->exp_avg_sq);
	free(o);
}

double optimizer_step(struct optimizer *o, double learning_rate)
{
	struct model *m = o->m;
	struct backend *be = m->be;
	double norm = sqrt(be->sum_squares(be, m->params.grad, m->params.size));
	struct adamw a = {.lr = (float)learning_rate, .beta1 = (float)o->args.beta1, .beta2 = (float)o->args.beta2, .eps = (float)o->args.eps,
			  .step = ++o->step, .grad_scale = 1};
	size_t i;

	if (o->args.clip > 0 && norm > o->args.clip)
		a.grad_scale = (float)(o->args.clip / norm);
	for (i = 0; i < m->params.tensors; i++) {
		struct tensor *x = m->params.tensor[i];
		int64_t at = m->params.tensor_offset[i];

		a.weight_decay = x->rows > 1 ? (float)o->args.weight_decay : 0;
		be->adamw(be, x->data, o->exp_avg + at, o->exp_avg_sq + at, x->grad, x->rows * x->cols, &a);
	}
	be->zero(be, m->params.grad, (size_t)m->params.size * sizeof *m->params.grad);
	return norm;
}

#define FILE_NAME "optimizer/optimizer.safetensors"

int optimizer_load(struct optimizer *o, struct checkpoint *ck, struct err *e)
{
	const struct checkpoint_file *f;
	struct safetensors *s;
	struct js *j;
	int rc = 1;

	e->msg[0] = 0;
	f = checkpoint_file(ck, "optimizer/state.json", e);
	if (!f)
		return e->msg[0] ? -1 : 0;
	j = js_parse(f->text, f->n, f->path, e);
	if (!j)
		return -1;
	if (!js_is_int(js_get(j, "step")))
		rc = err_set(e, "%s: 'step' is %s, not a whole number", f->path, js_type(js_get(j, "step")));
	else
		o->step = js_int(js_get(j, "step"));
	js_free(j);
	if (rc < 0)
		return rc;
	e->msg[0] = 0;
	s = checkpoint_tensors(ck, FILE_NAME, e);
	if (!s)
		return e->msg[0] ? -1 : err_set(e, "%s: there is optimizer/state.json but no %s", ck->path, FILE_NAME);
	if (params_read(&o->m->params, s, "exp_avg.", o->exp_avg, e) < 0 || params_read(&o->m->params, s, "exp_avg_sq.", o->exp_avg_sq, e) < 0)
		rc = err_prefix(e, "%s/%s", ck->path, FILE_NAME);
	safetensors_close(s);
	return rc;
}

int optimizer_save(const struct optimizer *o, struct checkpoint_writer *w, struct err *e)
{
	struct js *j = js_object();
	struct buf text = {0};
	struct safetensors_writer *s;
	int rc;

	js_set(j, "step", js_new_int(o->step));
	js_write(j, 0, &text);
	buf_char(&text, '\n');
	js_free(j);
	rc = checkpoint_add_file(w, "optimizer/state.json", text.p, text.n, e);
	buf_free(&text);
	if (rc < 0)
		return -1;
	s = checkpoint_add_tensors(w, FILE_NAME, e);
	if (!s)
		return -1;
	params_declare(&o->m->params, s, "exp_avg.", ST_F32);
	params_declare(&o->m->params, s, "exp_avg_sq.", ST_F32);
	params_write(&o->m->params, s, o->exp_avg);
	params_write(&o->m->params, s, o->exp_avg_sq);
	return safetensors_finish(s, e);
}
