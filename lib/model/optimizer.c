#include "model/optimizer.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/team.h"
#include "record/json.h"

struct optimizer *optimizer_new(struct params *p, const struct optimizer_args *args)
{
	struct optimizer *o = xcalloc(1, sizeof *o);
	size_t bytes;

	*o = (struct optimizer){.p = p, .args = *args, .dtype = args->half_moments ? ST_BF16 : ST_F32};
	bytes = (size_t)p->size * st_dtype_size(o->dtype);
	o->exp_avg = p->be->alloc(p->be, bytes);
	o->exp_avg_sq = p->be->alloc(p->be, bytes);
	p->be->zero(p->be, o->exp_avg, bytes);
	p->be->zero(p->be, o->exp_avg_sq, bytes);
	params_need_grad(p);
	return o;
}

void optimizer_free(struct optimizer *o)
{
	if (!o)
		return;
	o->p->be->free(o->p->be, o->exp_avg);
	o->p->be->free(o->p->be, o->exp_avg_sq);
	free(o);
}

static void step_tensor(struct optimizer *o, const struct tensor *x, int64_t at, const struct adamw *a)
{
	struct params *p = o->p;
	struct mixed k = {.w = p->kept == KEPT_F32 ? p->theta : p->master, .half = p->half, .low = p->low, .g = x->grad, .seed = o->args.seed, .first = at};
	int64_t n = x->rows * x->cols;

	if (k.w) {
		k.w += at;
	} else {
		k.half += at;
		k.low += at;
	}
	if (o->dtype == ST_F32) {
		k.m = (float *)o->exp_avg + at;
		k.v = (float *)o->exp_avg_sq + at;
	} else {
		k.m16 = (uint16_t *)o->exp_avg + at;
		k.v16 = (uint16_t *)o->exp_avg_sq + at;
	}
	if (k.w && k.m)
		p->be->adamw(p->be, k.w, k.m, k.v, k.g, n, a);
	else
		p->be->adamw_mixed(p->be, &k, n, a);
}

double optimizer_step(struct optimizer *o, double learning_rate)
{
	struct params *p = o->p;
	double norm = sqrt(p->be->sum_squares(p->be, p->grad, p->size));
	struct adamw a = {.lr = (float)learning_rate, .beta1 = (float)o->args.beta1, .beta2 = (float)o->args.beta2, .eps = (float)o->args.eps,
			  .step = ++o->step, .grad_scale = 1};
	size_t i;

	if (o->args.clip > 0 && norm > o->args.clip)
		a.grad_scale = (float)(o->args.clip / norm);
	for (i = 0; i < p->tensors; i++) {
		a.weight_decay = p->tensor[i]->rows > 1 ? (float)o->args.weight_decay : 0;
		if (p->tensor[i]->grad)         /* else it is fixed */
			step_tensor(o, p->tensor[i], p->tensor_offset[i], &a);
	}
	params_follow(p);
	p->be->zero(p->be, p->grad, (size_t)p->size * sizeof *p->grad);
	return norm;
}

#define FILE_NAME "optimizer/optimizer.safetensors"

int optimizer_half_moments(struct checkpoint *ck, bool *half, struct err *e)
{
	struct safetensors *s;

	e->msg[0] = 0;
	s = checkpoint_tensors(ck, FILE_NAME, e);
	*half = s && s->n && s->tensor[0].dtype == ST_BF16;
	safetensors_close(s);
	return e->msg[0] ? -1 : 0;
}

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
	if (params_read(o->p, s, "exp_avg.", o->exp_avg, o->dtype, e) < 0 || params_read(o->p, s, "exp_avg_sq.", o->exp_avg_sq, o->dtype, e) < 0 ||
	    params_read_fine(o->p, s, e) < 0)
		rc = err_prefix(e, "%s/%s", ck->path, FILE_NAME);
	if (team_size() > 1)
		o->loaded = hash_mix(safetensors_hash(s), (uint64_t)o->step);
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
	params_declare(o->p, s, "exp_avg.", o->dtype);
	params_declare(o->p, s, "exp_avg_sq.", o->dtype);
	params_declare_fine(o->p, s);
	params_write(o->p, s, o->exp_avg, o->dtype);
	params_write(o->p, s, o->exp_avg_sq, o->dtype);
	params_write_fine(o->p, s);
	return safetensors_finish(s, e);
}
