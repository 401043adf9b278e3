#include "model/optimizer.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/team.h"
#include "model/shares.h"
#include "model/state.h"
#include "record/json.h"

struct optimizer *optimizer_new(struct params *p, const struct optimizer_args *args)
{
	struct optimizer *o = xcalloc(1, sizeof *o);
	size_t bytes;

	*o = (struct optimizer){.p = p, .args = *args, .dtype = args->half_moments ? ST_BF16 : ST_F32};
	bytes = (size_t)p->owned * st_dtype_size(o->dtype);
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

/* Of the n numbers from `at` on what is own; g: their gradients */
static void step_own(struct optimizer *o, int64_t at, int64_t n, const float *g, const struct adamw *a)
{
	struct params *p = o->p;
	int64_t first, own = params_own(p, at, n, &first), i = first - p->own;
	struct mixed k = {.g = g + (first - at), .seed = o->args.seed, .first = first};

	if (!own)
		return;
	if (p->kept == KEPT_BF16) {
		k.half = p->half + first;
		k.low = p->low + i;
	} else {
		k.w = p->kept == KEPT_F32 ? p->theta + first : p->master + i;
	}
	if (o->dtype == ST_F32) {
		k.m = (float *)o->exp_avg + i;
		k.v = (float *)o->exp_avg_sq + i;
	} else {
		k.m16 = (uint16_t *)o->exp_avg + i;
		k.v16 = (uint16_t *)o->exp_avg_sq + i;
	}
	if (k.w && k.m)
		p->be->adamw(p->be, k.w, k.m, k.v, k.g, own, a);
	else
		p->be->adamw_mixed(p->be, &k, own, a);
}

/* Everybody adds up the squares of its own numbers' gradients, and all of these in their order. */
static double gradient_norm(const struct params *p)
{
	const int64_t chunks = (p->size + SQUARES - 1) / SQUARES;
	double *part = xmalloc((size_t)chunks * sizeof *part), sum = 0;
	size_t *at = xmalloc((size_t)(team_size() + 1) * sizeof *at);
	int64_t i;
	int r;

	for (r = 0; r <= team_size(); r++)
		at[r] = (size_t)((shares_begin(p->size, r) + SQUARES - 1) / SQUARES) * sizeof *part;
	p->be->squares(p->be, p->grad + p->own, p->owned, part + p->own / SQUARES);
	team_all_gather(part, at, at + 1);
	for (i = 0; i < chunks; i++)
		sum += part[i];
	free(at);
	free(part);
	return sqrt(sum);
}

double optimizer_step(struct optimizer *o, double learning_rate)
{
	struct params *p = o->p;
	struct adamw a = {.lr = (float)learning_rate, .beta1 = (float)o->args.beta1, .beta2 = (float)o->args.beta2, .eps = (float)o->args.eps,
			  .step = ++o->step, .grad_scale = 1};
	double norm;
	size_t i;

	shares_sum(p);
	norm = gradient_norm(p);
	if (o->args.clip > 0 && norm > o->args.clip)
		a.grad_scale = (float)(o->args.clip / norm);
	for (i = 0; i < p->tensors; i++) {
		const struct tensor *x = p->tensor[i];

		a.weight_decay = p->part[p->tensor_part[i]].decay ? (float)o->args.weight_decay : 0;
		if (x->grad)            /* else it is fixed */
			step_own(o, p->tensor_offset[i], x->rows * x->cols, x->grad, &a);
	}
	params_follow(p);
	p->be->zero(p->be, p->grad, (size_t)p->size * sizeof *p->grad);
	return norm;
}

int optimizer_half_moments(struct checkpoint *ck, bool *half, struct err *e)
{
	struct safetensors *s;

	e->msg[0] = 0;
	s = checkpoint_tensors(ck, OPTIMIZER_WEIGHTS, e);
	*half = s && s->n && s->tensor[0].dtype == ST_BF16;
	safetensors_close(s);
	return e->msg[0] ? -1 : 0;
}

/* hash: of what is there */
static int load_here(struct optimizer *o, struct checkpoint *ck, uint64_t *hash, struct err *e)
{
	const struct checkpoint_file *f;
	struct safetensors *s;
	struct js *j;
	int rc;

	e->msg[0] = 0;
	f = checkpoint_file(ck, OPTIMIZER_STATE, e);
	if (!f)
		return e->msg[0] ? -1 : 0;
	j = js_parse(f->text, f->n, f->path, e);
	if (!j)
		return -1;
	rc = state_count(f, j, "step", &o->step, e);
	js_free(j);
	if (rc < 0)
		return -1;
	e->msg[0] = 0;
	s = checkpoint_tensors(ck, OPTIMIZER_WEIGHTS, e);
	if (!s)
		return e->msg[0] ? -1 : err_set(e, "%s: there is optimizer/state.json but no %s", ck->path, OPTIMIZER_WEIGHTS);
	rc = params_read(o->p, s, "exp_avg.", o->exp_avg, o->dtype, e) < 0 || params_read(o->p, s, "exp_avg_sq.", o->exp_avg_sq, o->dtype, e) < 0 ||
	     params_read_fine(o->p, s, e) < 0 ? err_prefix(e, "%s/%s", ck->path, OPTIMIZER_WEIGHTS) : 1;
	if (team_size() > 1)
		*hash = hash_mix(safetensors_hash(s), (uint64_t)o->step);
	safetensors_close(s);
	return rc;
}

int optimizer_load(struct optimizer *o, struct checkpoint *ck, struct err *e)
{
	uint64_t hash = 0;
	int there = team_agree(load_here(o, ck, &hash, e), e);

	if (there < 0 || (team_size() > 1 && team_same(hash, "what is in optimizer/", e) < 0))
		return -1;
	if (there)
		params_follow(o->p);
	return there;
}

static int save_step(const struct optimizer *o, struct checkpoint_writer *w, struct err *e)
{
	struct buf text = {0};
	int rc;

	buf_printf(&text, "{\"step\":%lld}\n", (long long)o->step);
	rc = checkpoint_add_file(w, OPTIMIZER_STATE, text.p, text.n, e);
	buf_free(&text);
	return rc;
}

int optimizer_save(const struct optimizer *o, struct checkpoint_writer *w, struct err *e)
{
	struct safetensors_writer *s = NULL;

	if (w) {
		s = save_step(o, w, e) < 0 ? NULL : checkpoint_add_tensors(w, OPTIMIZER_WEIGHTS, e);
		if (!s)
			return -1;
		params_declare(o->p, s, "exp_avg.", o->dtype);
		params_declare(o->p, s, "exp_avg_sq.", o->dtype);
		params_declare_fine(o->p, s);
	}
	params_write(o->p, s, o->exp_avg, o->dtype);
	params_write(o->p, s, o->exp_avg_sq, o->dtype);
	params_write_fine(o->p, s);
	return s ? safetensors_finish(s, e) : 0;
}
