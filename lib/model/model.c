#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/tool.h"
#include "model/lora.h"

const struct family *family_find(const char *model_type, struct err *e)
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

enum model_dtype model_dtype(const char *name)
{
	return !strcmp(name, "float32") ? DTYPE_FLOAT32 : !strcmp(name, "bfloat16") ? DTYPE_BFLOAT16 : DTYPE_AUTO;
}

/* The family's parameters, without memory for them. */
static struct model *declare(const struct config *c, struct backend *be, struct err *e)
{
	const struct family *f = family_find(c->model_type, e);
	struct model *m;

	if (!f)
		return NULL;
	m = xcalloc(1, sizeof *m);
	m->family = f;
	m->config = config_copy(c);
	m->be = be;
	m->k_width = m->v_width = c->kv_heads * c->head_dim;
	f->declare(m);
	return m;
}

static void alloc(struct model *m, enum model_use use, const enum weight_type *type)
{
	const enum st_dtype dtype = model_file_dtype(&m->config);

	if (use == MODEL_TRAIN)
		params_alloc_trained(&m->params, m->be, dtype == ST_BF16 ? KEPT_BF16 : dtype == ST_F16 ? KEPT_F16 : KEPT_F32);
	else
		params_alloc(&m->params, m->be, use == MODEL_SAMPLE ? PARAMS_SAMPLE : PARAMS_READ, type);
	m->half = params_half(&m->params);
}

static enum weight_type *all_of(const struct model *m, enum weight_type type)
{
	enum weight_type *t = xmalloc(m->params.tensors * sizeof *t);
	size_t i;

	for (i = 0; i < m->params.tensors; i++)
		t[i] = type;
	return t;
}

struct model *model_new(const struct config *c, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e)
{
	struct model *m = declare(c, be, e);
	bool half = dtype == DTYPE_BFLOAT16 || (dtype == DTYPE_AUTO && model_file_dtype(c) == ST_BF16);
	enum weight_type *type;

	if (!m || !be)
		return m;
	type = all_of(m, half ? WEIGHT_BF16 : WEIGHT_F32);
	alloc(m, use, type);
	free(type);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	params_free(&m->params);
	params_free(&m->adapter);
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

void model_param_head(struct model *m)
{
	const struct config *c = &m->config;

	if (c->scalar)
		m->score = model_param(m, "score", c->hidden_size, (struct param_part[]){{"weight", 1, .begins = c->scalar_begins}}, 1);
	else
		m->head = c->tie_word_embeddings ? m->embed : model_param(m, "lm_head", c->hidden_size, (struct param_part[]){{"weight", c->vocab_size}}, 1);
}

void model_init_part(const struct model *m, const struct part *p, uint64_t seed, int64_t from, int64_t n, float *w)
{
	uint64_t stream = hash_str(p->name);
	size_t len = strlen(p->name);
	bool bias = len > 4 && !strcmp(p->name + len - 4, "bias");
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
		params_put(&m->params, p, 0, p->shape[0], w, WEIGHT_F32);
		free(w);
	}
}

void model_reserve_positions(struct model *m, int64_t positions)
{
	int64_t D = m->config.head_dim, p;
	float *frequency;
	double size;
	float *table;

	if (positions <= m->positions)
		return;
	if (positions < 2 * m->positions)
		positions = 2 * m->positions;
	if (positions < 256)
		positions = 256;
	frequency = xmalloc((size_t)D * sizeof *frequency);
	table = xmalloc((size_t)(positions * D) * sizeof *table);
	size = rope_frequencies(&m->config, frequency);
	for (p = 0; p < positions; p++)
		rope_turn(frequency, size, D, p, table + p * D);
	if (m->cos_sin)
		m->be->free(m->be, m->cos_sin);
	m->cos_sin = m->be->alloc(m->be, (size_t)(positions * D) * sizeof *table);
	m->be->upload(m->be, m->cos_sin, table, (size_t)(positions * D) * sizeof *table);
	m->positions = positions;
	free(frequency);
	free(table);
}

struct at {                             /* a layer of a flat batch */
	struct model *m;
	int64_t index;
	const int32_t *position;
	struct sequences s;
};

static struct tensor *layer(struct tape *t, struct tensor *x, const void *arg)
{
	const struct at *a = arg;

	return a->m->family->layer(a->m, t, a->index, x, a->position, &a->s);
}

struct tensor *model_hidden(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows, const struct sequences *s,
			    const int32_t *out_row, int64_t out)
{
	struct tensor *x;
	int64_t i;

	t->half = t->be->half = m->half;
	t->half_rows = model_half_rows(m);
	x = op_embedding(t, m->embed, id, rows);
	for (i = 0; i < m->config.layers; i++)
		x = op_segment(t, x, layer, &(struct at){m, i, position, *s}, sizeof(struct at));
	if (out_row)
		x = op_rows(t, x, out_row, out);
	return op_rmsnorm(t, x, m->norm, (float)m->config.rms_norm_eps);
}

enum st_dtype model_file_dtype(const struct config *c)
{
	return !strcmp(c->dtype, "bfloat16") ? ST_BF16 : !strcmp(c->dtype, "float16") ? ST_F16 : ST_F32;
}

enum weight_type model_fp8(const struct config *c)
{
	return model_file_dtype(c) == ST_BF16 ? WEIGHT_BF16 : WEIGHT_F32;
}

int64_t model_active(const struct model *m)
{
	const struct experts_config *x = &m->config.experts;
	int64_t n = m->params.count;
	size_t i;

	for (i = 0; x->count && i < m->params.parts; i++)
		if (strstr(m->params.part[i].name, ".mlp.experts."))
			n -= part_count(&m->params.part[i]);
	if (x->count)
		n += (m->config.layers - x->dense_layers) * x->top * 3 * m->config.hidden_size * x->intermediate_size;
	return n;
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n >= k && !strcmp(name + n - k, end);
}

void model_names(const struct model *m, struct map *known)
{
	size_t i;

	for (i = 0; i < m->params.parts; i++)
		*map_put(known, m->params.part[i].name, strlen(m->params.part[i].name)) = 1;
}

bool model_is_scale(struct map *known, const char *name)
{
	static const char suffix[] = "_scale_inv";

	return ends_in(name, suffix) && map_get(known, name, strlen(name) - strlen(suffix));
}

/* What changes nothing: tables of angles, a head that is the embeddings or that a scalar one stands for, scales of what is there. */
static bool is_idle(const struct config *c, struct map *known, const char *name)
{
	return ends_in(name, "rotary_emb.inv_freq") || ((c->tie_word_embeddings || c->scalar) && !strcmp(name, "lm_head.weight")) ||
	       model_is_scale(known, name);
}

void model_note_left_out(const char *path, const struct model *m, const struct safetensors *from)
{
	const struct config *c = &m->config;
	const char *first = NULL;
	struct map known = {0};
	int64_t n = 0, others = 0;
	size_t i;

	model_names(m, &known);
	for (i = 0; i < from->n; i++) {
		const char *name = from->tensor[i].name;
		long long layer;

		if (sscanf(name, "model.layers.%lld.", &layer) == 1 && layer >= c->layers)
			n++;
		else if (!map_get(&known, name, strlen(name)) && !is_idle(c, &known, name) && !others++)
			first = name;
	}
	map_free(&known);
	if (others == 1)
		tool_warn("%s: tensor '%s' is left out: config.json has no place for it", path, first);
	else if (others)
		tool_warn("%s: %lld tensors are left out, the first is '%s': config.json has no place for them", path, (long long)others, first);
	if (n)
		(c->nextn_layers ? tool_note : tool_warn)("%s: %lld tensor%s of layers from %lld on are left out: %s", path, (long long)n, n == 1 ? "" : "s",
			(long long)c->layers, c->nextn_layers ? "they predict further tokens (num_nextn_predict_layers), and are not computed"
							      : "num_hidden_layers of config.json is no more");
}

struct model *model_for_tensors(const struct config *c, const struct safetensors *from, struct backend *be, enum model_use use,
				enum model_dtype dtype, struct err *e)
{
	struct model *m = declare(c, be, e);
	enum weight_type *type;

	if (!m)
		return NULL;
	if (params_check(&m->params, from, e) < 0) {    /* before there is room for what is not there */
		model_free(m);
		return NULL;
	}
	/* Where it decides what is computed, a sampler's choice has to be a trainer's: torch_dtype's */
	if (dtype == DTYPE_AUTO && be && be->rounds)
		dtype = model_file_dtype(c) == ST_BF16 ? DTYPE_BFLOAT16 : DTYPE_FLOAT32;
	type = dtype == DTYPE_AUTO ? params_types(&m->params, from, model_fp8(c)) : all_of(m, dtype == DTYPE_BFLOAT16 ? WEIGHT_BF16 : WEIGHT_F32);
	alloc(m, use, type);
	free(type);
	return m;
}

/* A head beside embeddings that are said to be the head, too: which of the two is meant is not guessed. */
static int check_tied(const struct config *c, const struct safetensors *from, struct err *e)
{
	const struct st_tensor *head = safetensors_find(from, "lm_head.weight"), *embed = safetensors_find(from, "model.embed_tokens.weight");
	bool same;

	if (!c->tie_word_embeddings || c->scalar || !head || !embed)
		return 0;
	same = head->dtype == embed->dtype && head->bytes == embed->bytes && !memcmp(head->data, embed->data, head->bytes);
	safetensors_forget(from, head);
	return same ? 0 : err_set(e, "'lm_head.weight' is not the embedding, which config.json says by 'tie_word_embeddings': false there, or leave the tensor out");
}

struct model *model_from_tensors(const struct config *c, const struct safetensors *from, struct backend *be, enum model_use use,
				 enum model_dtype dtype, struct err *e)
{
	struct model *m = check_tied(c, from, e) < 0 ? NULL : model_for_tensors(c, from, be, use, dtype, e);

	if (m && params_load(&m->params, from, e) < 0) {
		model_free(m);
		m = NULL;
	}
	return m;
}

struct params *model_trained(struct model *m)
{
	return m->adapter.parts ? &m->adapter : &m->params;
}

/* The base frozen, and the adapter on top of it. */
static struct model *adapted_model(const struct checkpoint *ck, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e)
{
	enum model_use base = use == MODEL_TRAIN ? MODEL_SCORE : use;
	struct model *m = model_from_checkpoint(ck->base, be, base, dtype, e);

	if (!m)
		return NULL;
	if (lora_declare(m, &ck->lora, ck->adapter, e) == 0) {
		if (use == MODEL_TRAIN)
			params_alloc_trained(&m->adapter, be, KEPT_F32);
		else
			params_alloc(&m->adapter, be, use == MODEL_SAMPLE ? PARAMS_SAMPLE : PARAMS_READ, NULL);
		lora_switch(m, true);
		if (!ck->adapter || params_load(&m->adapter, ck->adapter, e) == 0)
			return m;
	}
	err_prefix(e, "%s", ck->path);
	model_free(m);
	return NULL;
}

struct model *model_from_checkpoint(const struct checkpoint *ck, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e)
{
	struct model *m = NULL;

	if (use == MODEL_SAMPLE && ck->config.scalar) {
		err_set(e, "%s: has a scalar head: it scores texts and writes none", ck->path);
		return NULL;
	}
	if (ck->base)
		return adapted_model(ck, be, use, dtype, e);
	if (!family_find(ck->config.model_type, e))
		err_prefix(e, "%s/config.json", ck->path);
	else if (!(m = model_from_tensors(&ck->config, ck->weights, be, use, dtype, e)))
		err_prefix(e, "%s", ck->path);
	else
		model_note_left_out(ck->path, m, ck->weights);
	return m;
}

struct model *model_load(const char *path, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e)
{
	struct checkpoint *ck = checkpoint_open(path, e);
	struct model *m;

	if (!ck)
		return NULL;
	m = model_from_checkpoint(ck, be, use, dtype, e);
	checkpoint_close(ck);
	return m;
}

int model_save(struct model *m, struct checkpoint_writer *w, const char *name, int64_t shard_bytes, struct err *e)
{
	struct safetensors_writer *s = checkpoint_add_tensors(w, name, e);

	if (!s)
		return -1;
	safetensors_shard(s, shard_bytes);
	params_save(model_trained(m), s);
	return safetensors_finish(s, e);
}
