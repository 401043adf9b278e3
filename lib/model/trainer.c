#include "model/trainer.h"

#include <stdio.h>
#include <string.h>

int trainer_open(struct trainer *t, const char *path, struct backend *be, const struct trainer_args *a, struct err *e)
{
	struct config *c;

	*t = (struct trainer){.args = a, .be = be, .ck = checkpoint_open(path, e)};
	if (!t->ck || state_read(t->ck, &t->state, e) < 0)
		return -1;
	c = &t->ck->config;
	if (strcmp(a->dtype, "auto") != 0)
		snprintf(c->dtype, sizeof c->dtype, "%s", a->dtype);
	t->model = model_from_checkpoint(t->ck, be, MODEL_TRAIN, DTYPE_AUTO, e);
	return t->model ? 0 : -1;
}

int trainer_begin(struct trainer *t, bool resume, struct err *e)
{
	const struct trainer_args *a = t->args;
	struct optimizer_args oa = {.beta1 = a->beta1, .beta2 = a->beta2, .eps = a->eps, .weight_decay = a->weight_decay, .clip = a->max_grad_norm,
				    .half_moments = !strcmp(a->moments, "bfloat16"), .seed = a->seed};

	if (resume && !strcmp(a->moments, "auto") && optimizer_half_moments(t->ck, &oa.half_moments, e) < 0)
		return -1;
	t->optimizer = optimizer_new(&t->model->params, &oa);
	return resume ? optimizer_load(t->optimizer, t->ck, e) : 0;
}

int trainer_write(const struct trainer *t, struct checkpoint_writer *w, struct err *e)
{
	if (checkpoint_add_companions(w, t->ck, e) < 0 || model_save(t->model, w, MODEL_WEIGHTS, (int64_t)(1e9 * t->args->shard_size), e) < 0 ||
	    optimizer_save(t->optimizer, w, e) < 0)
		return -1;
	return state_write(w, &t->state, e);
}

void trainer_close(struct trainer *t)
{
	optimizer_free(t->optimizer);
	model_free(t->model);
	checkpoint_close(t->ck);
	*t = (struct trainer){0};
}
