#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static const struct family *find_family(const char *model_type, struct err *e)
{
	char known[256] = "";
	size_t n = 0;
	int i;

	for (i = 0; family_table[i]; i++) {
		if (!strcmp(family_table[i]->model_type, model_type))
			return family_table[i];
		if (n < sizeof known)
			n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", family_table[i]->model_type);
	}
	err_set(e, "model_type '%s' is not supported (supported: %s)", model_type, known);
	return NULL;
}

struct model *model_new(const struct config *c, struct backend *be, enum model_use use, struct err *e)
{
	const struct family *f = find_family(c->model_type, e);
	struct model *m;

	if (!f)
		return NULL;
	m = xcalloc(1, sizeof *m);
	m->family = f;
	m->config = config_copy(c);
	m->be = be;
	f->declare(m);
	if (be)
		params_alloc(&m->params, be, use == MODEL_TRAIN);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	params_free(&m->params);
	if (m->cos_sin)
		m->be->free(m->be, m->cos_sin);
	config_free(&m->config);
	arena_free(&m->arena);
	free(m);
}

struct tensor *model_param(struct model *m, const char *prefix, int64_t cols, const struct param_part *part, int parts)
{
	return params_add(&m->params, prefix, cols, part, parts);
}

void model_pack(struct model *m)
{
	size_t i;

	for (i = 0; i < m->params.tensors; i++) {
		struct tensor *x = m->params.tensor[i];

		if (x->rows == 1 || (x == m->embed && m->embed != m->head))
			continue;
		if (x->packed)
			m->be->unpack(m->be, x->packed);
		x->packed = m->be->pack(m->be, x->data, x->rows, x->cols);
	}
}

void model_init_part(const struct model *m, const struct part *p, uint64_t seed, int64_t from, int64_t n, float *w)
{
	uint64_t stream = hash_str(p->name);
	size_t len = strlen(p->name);
	bool bias = len > 5 && !strcmp(p->name + len - 5, ".bias");
	double z[2];
	int64_t j;

	for (j = 0; p->ndim == 1 && j < n; j++)
		w[j] = bias ? 0 : 1;
	for (j = 0; p->ndim == 2 && j < n; j++) {
		if (j == 0 || (from + j) % 2 == 0)
			rng_normal_pair(seed, stream, (uint64_t)(from + j) / 2, z);
		w[j] = (float)(m->config.initializer_range * z[(from + j) % 2]);
	}
}

void model_init(struct model *m, uint64_t seed)
{
	size_t i;

	for (i = 0; i < m->params.parts; i++) {
		const struct part *p = &m->params.part[i];
		int64_t n = part_count(p);
		float *w = xmalloc((size_t)n * sizeof *w);

		model_init_part(m, p, seed, 0, n, w);
		m->be->upload(m->be, m->params.theta + p->offset, w, (size_t)n * sizeof *w);
		free(w);
	}
}

/* cos and sin of position / theta^(2i/D), i = 0 .. D/2-1 (Su et al. 2021, eq. 15). */
void model_reserve_positions(struct model *m, int64_t positions)
{
	int64_t D = m->config.head_dim, p, i;
	double *frequency;
	float *table;

	if (positions <= m->positions)
		return;
	if (positions < 2 * m->positions)
		positions = 2 * m->positions;
	if (positions < 256)
		positions = 256;
	frequency = xmalloc((size_t)D * sizeof *frequency);
	table = xmalloc((size_t)(positions * D) * sizeof *table);
	for (i = 0; i < D / 2; i++)
		frequency[i] = pow(m->config.rope_theta, -2.0 * (double)i / (double)D);
	for (p = 0; p < positions; p++)
		for (i = 0; i < D / 2; i++) {
			table[p * D + i] = (float)cos((double)p * frequency[i]);
			table[p * D + D / 2 + i] = (float)sin((double)p * frequency[i]);
		}
	if (m->cos_sin)
		m->be->free(m->be, m->cos_sin);
	m->cos_sin = m->be->alloc(m->be, (size_t)(positions * D) * sizeof *table);
	m->be->upload(m->be, m->cos_sin, table, (size_t)(positions * D) * sizeof *table);
	m->positions = positions;
	free(frequency);
	free(table);
}

struct tensor *model_hidden(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows, const struct sequences *s)
{
	return m->family->forward(m, t, id, position, rows, s);
}

struct model *model_from_checkpoint(const struct checkpoint *ck, struct backend *be, enum model_use use, struct err *e)
{
	struct model *m = model_new(&ck->config, be, use, e);

	if (!m) {
		err_prefix(e, "%s/config.json", ck->path);
		return NULL;
	}
	if (params_read(&m->params, ck->weights, "", m->params.theta, e) < 0) {
		err_prefix(e, "%s", ck->path);
		model_free(m);
		return NULL;
	}
	if (use == MODEL_SAMPLE)
		model_pack(m);
	return m;
}

struct model *model_load(const char *path, struct backend *be, enum model_use use, struct err *e)
{
	struct checkpoint *ck = checkpoint_open(path, e);
	struct model *m;

	if (!ck)
		return NULL;
	m = model_from_checkpoint(ck, be, use, e);
	checkpoint_close(ck);
	return m;
}

int model_save(const struct model *m, struct checkpoint_writer *w, struct err *e)
{
	const char *d = m->config.dtype;
	struct safetensors_writer *s = checkpoint_add_tensors(w, "model.safetensors", e);

	if (!s)
		return -1;
	params_declare(&m->params, s, "", !strcmp(d, "bfloat16") ? ST_BF16 : !strcmp(d, "float16") ? ST_F16 : ST_F32);
	params_write(&m->params, s, m->params.theta);
	return safetensors_finish(s, e);
}
