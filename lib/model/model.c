#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define ALIGN_FLOATS 16         /* tensors begin on a cache line */
#define LOAD_PIECE ((int64_t)1 << 20)   /* floats that pass through the host at once */

int64_t part_count(const struct part *p)
{
	return p->shape[0] * (p->ndim == 2 ? p->shape[1] : 1);
}

struct tensor *model_param(struct model *m, const char *prefix, int64_t cols, const struct param_part *part, int parts)
{
	struct tensor *x = arena_calloc(&m->arena, sizeof *x);
	int i;

	m->size = (m->size + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
	m->tensor = xgrow(m->tensor, &m->tensors_cap, m->tensors + 1, sizeof *m->tensor);
	m->tensor_offset = xrealloc(m->tensor_offset, (m->tensors + 1) * sizeof *m->tensor_offset);
	m->tensor_offset[m->tensors] = m->size;
	m->tensor[m->tensors++] = x;
	x->is_param = true;
	for (i = 0; i < parts; i++) {
		int64_t n = part[i].rows * (cols ? cols : 1);

		m->part = xgrow(m->part, &m->parts_cap, m->parts + 1, sizeof *m->part);
		m->part[m->parts++] = (struct part){.name = xasprintf("%s.%s", prefix, part[i].name), .shape = {part[i].rows, cols},
						    .ndim = cols ? 2 : 1, .offset = m->size, .decay = cols != 0};
		m->size += n;
		m->count += n;
		x->rows += part[i].rows;
	}
	x->cols = cols;
	if (!cols) {
		x->cols = x->rows;
		x->rows = 1;
	}
	return x;
}

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
	size_t bytes, i;

	if (!f)
		return NULL;
	m = xcalloc(1, sizeof *m);
	m->family = f;
	m->config = config_copy(c);
	m->be = be;
	f->declare(m);
	if (!be)
		return m;
	bytes = (size_t)m->size * sizeof *m->theta;
	m->theta = be->alloc(be, bytes);
	be->zero(be, m->theta, bytes);
	if (use == MODEL_TRAIN) {
		m->grad = be->alloc(be, bytes);
		be->zero(be, m->grad, bytes);
	}
	for (i = 0; i < m->tensors; i++) {
		m->tensor[i]->data = m->theta + m->tensor_offset[i];
		m->tensor[i]->grad = m->grad ? m->grad + m->tensor_offset[i] : NULL;
	}
	return m;
}

void model_free(struct model *m)
{
	size_t i;

	if (!m)
		return;
	for (i = 0; i < m->tensors; i++)
		if (m->tensor[i]->packed)
			m->be->unpack(m->be, m->tensor[i]->packed);
	for (i = 0; i < m->parts; i++)
		free(m->part[i].name);
	if (m->theta)
		m->be->free(m->be, m->theta);
	if (m->grad)
		m->be->free(m->be, m->grad);
	if (m->cos_sin)
		m->be->free(m->be, m->cos_sin);
	free(m->part);
	free(m->tensor);
	free(m->tensor_offset);
	config_free(&m->config);
	arena_free(&m->arena);
	free(m);
}

void model_pack(struct model *m)
{
	size_t i;

	for (i = 0; i < m->tensors; i++) {
		struct tensor *x = m->tensor[i];

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

	for (i = 0; i < m->parts; i++) {
		const struct part *p = &m->part[i];
		int64_t n = part_count(p);
		float *w = xmalloc((size_t)n * sizeof *w);

		model_init_part(m, p, seed, 0, n, w);
		m->be->upload(m->be, m->theta + p->offset, w, (size_t)n * sizeof *w);
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

static const struct st_tensor *find_part(const struct part *p, const struct safetensors *from, const char *name, struct err *e)
{
	const struct st_tensor *t = safetensors_find(from, name);
	char shape[64];

	if (!t) {
		err_set(e, "tensor '%s' is missing", name);
		return NULL;
	}
	if (t->ndim == p->ndim && t->shape[0] == p->shape[0] && (p->ndim == 1 || t->shape[1] == p->shape[1]))
		return t;
	snprintf(shape, sizeof shape, p->ndim == 2 ? "[%lld, %lld]" : "[%lld]", (long long)p->shape[0], (long long)p->shape[1]);
	err_set(e, "tensor '%s' has not the shape that config.json asks for: %s", name, shape);
	return NULL;
}

/* A part's numbers into `to` (backend memory), its shape checked. */
static int load_part(const struct model *m, const struct part *p, const struct safetensors *from, const char *name, float *to, struct err *e)
{
	const struct st_tensor *t = find_part(p, from, name, e);
	int64_t n = part_count(p), done, piece;
	float *host;
	int rc = 0;

	if (!t)
		return -1;
	host = xmalloc((size_t)(n < LOAD_PIECE ? n : LOAD_PIECE) * sizeof *host);
	for (done = 0; done < n && rc == 0; done += piece) {
		piece = n - done < LOAD_PIECE ? n - done : LOAD_PIECE;
		rc = safetensors_floats(from, t, done, piece, host, e);
		if (rc == 0)
			m->be->upload(m->be, to + done, host, (size_t)piece * sizeof *host);
	}
	free(host);
	return rc;
}

struct model *model_from_checkpoint(const struct checkpoint *ck, struct backend *be, enum model_use use, struct err *e)
{
	struct model *m = model_new(&ck->config, be, use, e);

	if (!m) {
		err_prefix(e, "%s/config.json", ck->path);
		return NULL;
	}
	if (model_read_parts(m, ck->weights, "", m->theta, e) < 0) {
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

void model_declare_parts(const struct model *m, struct safetensors_writer *w, const char *prefix, enum st_dtype dtype)
{
	size_t i;

	for (i = 0; i < m->parts; i++) {
		char *name = xasprintf("%s%s", prefix, m->part[i].name);

		safetensors_declare(w, name, dtype, m->part[i].shape, m->part[i].ndim);
		free(name);
	}
}

void model_write_parts(const struct model *m, struct safetensors_writer *w, const float *values)
{
	float *host = xmalloc(LOAD_PIECE * sizeof *host);
	size_t i;

	for (i = 0; i < m->parts; i++) {
		const struct part *p = &m->part[i];
		int64_t n = part_count(p), done, piece;

		for (done = 0; done < n; done += piece) {
			piece = n - done < LOAD_PIECE ? n - done : LOAD_PIECE;
			m->be->download(m->be, host, values + p->offset + done, (size_t)piece * sizeof *host);
			safetensors_write(w, host, piece);
		}
	}
	free(host);
}

int model_read_parts(const struct model *m, const struct safetensors *from, const char *prefix, float *values, struct err *e)
{
	size_t i;

	for (i = 0; i < m->parts; i++) {
		char *name = xasprintf("%s%s", prefix, m->part[i].name);
		int rc = load_part(m, &m->part[i], from, name, values + m->part[i].offset, e);

		free(name);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int model_check_parts(const struct model *m, const struct safetensors *from, const char *prefix, struct err *e)
{
	size_t i;

	for (i = 0; i < m->parts; i++) {
		char *name = xasprintf("%s%s", prefix, m->part[i].name);
		const struct st_tensor *t = find_part(&m->part[i], from, name, e);

		free(name);
		if (!t)
			return -1;
	}
	return 0;
}

int model_save(const struct model *m, struct checkpoint_writer *w, struct err *e)
{
	const char *d = m->config.dtype;
	struct safetensors_writer *s = checkpoint_add_tensors(w, "model.safetensors", e);

	if (!s)
		return -1;
	model_declare_parts(m, s, "", !strcmp(d, "bfloat16") ? ST_BF16 : !strcmp(d, "float16") ? ST_F16 : ST_F32);
	model_write_parts(m, s, m->theta);
	return safetensors_finish(s, e);
}
