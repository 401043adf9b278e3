#include "model/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tool.h"
#include "model/lora.h"

#define PIECE ((int64_t)1 << 22)        /* numbers at once */

static int merge_part(const struct model *m, const struct part *p, const struct safetensors *from, struct safetensors_writer *s, struct err *e)
{
	const struct st_tensor *t = safetensors_find(from, p->name);
	int64_t cols = p->ndim == 2 ? p->shape[1] : 1, each = PIECE / cols + 1, at, rows;
	float *w = xmalloc((size_t)(each * cols) * sizeof *w);
	int rc = 0;

	for (at = 0; at < p->shape[0] && rc == 0; at += rows) {
		rows = p->shape[0] - at < each ? p->shape[0] - at : each;
		rc = safetensors_floats(from, t, at * cols, rows * cols, w, e);
		if (rc == 0 && p->ndim == 2)
			lora_merge(m, p, at, rows, w);
		if (rc == 0)
			safetensors_write(s, w, rows * cols);
	}
	safetensors_forget(from, t);
	free(w);
	return rc;
}

static int merge_weights(struct model *m, const struct checkpoint *ck, int64_t shard_bytes, struct checkpoint_writer *w, struct err *e)
{
	struct safetensors_writer *s = checkpoint_add_tensors(w, MODEL_WEIGHTS, e);
	size_t i;
	int rc = 0;

	if (!s)
		return -1;
	safetensors_shard(s, shard_bytes);
	params_declare(&m->params, s, "", model_file_dtype(&m->config));
	for (i = 0; i < m->params.parts && rc == 0; i++)
		rc = tool_interrupted() ? err_set(e, "interrupted") : merge_part(m, &m->params.part[i], ck->weights, s, e);
	if (rc == 0)
		return safetensors_finish(s, e);
	safetensors_discard(s);
	return -1;
}

int model_merge(const struct checkpoint *ck, struct backend *be, const char *dtype, int64_t shard_bytes, struct checkpoint_writer *w, struct err *e)
{
	struct config c = config_copy(&ck->config);
	struct model *m;
	int rc;

	if (dtype)
		snprintf(c.dtype, sizeof c.dtype, "%s", dtype);
	m = model_new(&c, NULL, MODEL_SCORE, DTYPE_AUTO, e);
	rc = !m || params_check(&m->params, ck->weights, e) < 0 ? -1 : 0;
	if (rc == 0) {
		m->be = be;
		rc = lora_declare(m, &ck->lora, ck->adapter, e);
	}
	if (rc == 0) {
		params_alloc(&m->adapter, be, PARAMS_READ, NULL);
		rc = params_load(&m->adapter, ck->adapter, e);
	}
	if (rc < 0)
		err_prefix(e, "%s", ck->path);
	else
		model_note_left_out(ck->path, m, ck->weights);
	/* What the adapter has of its own comes behind what the base has. */
	if (rc == 0)
		rc = checkpoint_add_companions(w, ck->base, e);
	if (rc == 0)
		rc = checkpoint_add_companions(w, ck, e);
	if (rc == 0)
		rc = checkpoint_add_config(w, &c, e);
	if (rc == 0)
		rc = merge_weights(m, ck, shard_bytes, w, e);
	model_free(m);
	config_free(&c);
	return rc;
}
