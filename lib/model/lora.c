#include "model/lora.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"

#define PREFIX "base_model.model"

static const char *const projections[] = {"q_proj", "k_proj", "v_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "o_proj", "gate_proj", "up_proj",
					  "down_proj"};
#define PROJECTIONS (sizeof projections / sizeof *projections)

/* "model.layers.0.self_attn.q_proj" of "model.layers.0.self_attn.q_proj.weight"; NULL if no adapter goes there. */
static char *module_of(const struct part *p)
{
	static const char suffix[] = ".weight";
	size_t n = strlen(p->name), k = strlen(suffix), i;
	char *module, *last;

	if (p->ndim != 2 || n <= k || strcmp(p->name + n - k, suffix) != 0 || strstr(p->name, ".experts."))
		return NULL;
	module = xstrndup(p->name, n - k);
	last = strrchr(module, '.');
	for (i = 0; last && i < PROJECTIONS; i++)
		if (!strcmp(last + 1, projections[i]))
			return module;
	free(module);
	return NULL;
}

static char *lora_name(const char *module, char which)
{
	return xasprintf("%s.lora_%c.weight", module, which);
}

/* Whether the list a,b,c names the module, wholly or by its end. */
static bool is_target(const char *targets, const char *module)
{
	size_t n = strlen(module), k;

	for (; *targets; targets += k + (targets[k] == ',')) {
		k = strcspn(targets, ",");
		if (k && k <= n && !strncmp(module + n - k, targets, k) && (k == n || module[n - k - 1] == '.'))
			return true;
	}
	return false;
}

static bool is_adapted(const struct adapter_config *c, const struct safetensors *from, const char *module)
{
	char *name;
	bool there;

	if (!from)
		return !strcmp(c->targets, "all") || is_target(c->targets, module);
	name = xasprintf("%s.%s.lora_A.weight", PREFIX, module);
	there = safetensors_find(from, name) != NULL;
	free(name);
	return there;
}

/* The tensor's parts first .. last-1 of m->params. */
static void adapt(struct model *m, const struct adapter_config *c, const struct safetensors *from, size_t tensor, size_t first, size_t last)
{
	struct tensor *x = m->params.tensor[tensor];
	struct lora *l = arena_calloc(&m->adapter.arena, sizeof *l);
	struct param_part *a = xcalloc(last - first, sizeof *a);
	size_t i;
	int n = 0;

	l->part = arena_calloc(&m->adapter.arena, (last - first) * sizeof *l->part);
	l->rank = c->rank;
	l->scale = adapter_scale(c);
	for (i = first; i < last; i++) {
		const struct part *p = &m->params.part[i];
		char *module = module_of(p);

		if (module && is_adapted(c, from, module)) {
			a[n].name = lora_name(module, 'A');
			a[n++].rows = c->rank;
		}
		free(module);
	}
	if (n)
		l->a = params_add(&m->adapter, PREFIX, x->cols, a, n);
	for (i = first; n && i < last; i++) {
		const struct part *p = &m->params.part[i];
		char *module = module_of(p), *name;

		if (module && is_adapted(c, from, module)) {
			name = lora_name(module, 'B');
			l->part[l->parts].row = p->row;
			l->part[l->parts++].b = params_add(&m->adapter, PREFIX, c->rank, &(struct param_part){name, p->shape[0]}, 1);
			free(name);
		}
		free(module);
	}
	while (n)
		free((char *)a[--n].name);
	free(a);
	m->lora[tensor] = l->parts ? l : NULL;
}

/* "q_proj, k_proj, ..., or all", as far as the model has them */
static void list_modules(const struct model *m, struct buf *to)
{
	size_t k, i;

	for (k = 0; k < PROJECTIONS; k++) {
		bool found = false;

		for (i = 0; i < m->params.parts && !found; i++) {
			char *module = module_of(&m->params.part[i]);

			found = module && is_target(projections[k], module);
			free(module);
		}
		if (found)
			buf_printf(to, "%s, ", projections[k]);
	}
	buf_str(to, "or all");
}

/* A new adapter's targets must each be something. */
static int check_targets(const struct model *m, const char *targets, struct err *e)
{
	size_t k, i;

	for (; strcmp(targets, "all") != 0 && *targets; targets += k + (targets[k] == ',')) {
		char *one = xstrndup(targets, k = strcspn(targets, ","));
		bool found = false;

		for (i = 0; i < m->params.parts && !found; i++) {
			char *module = module_of(&m->params.part[i]);

			found = module && *one && is_target(one, module);
			free(module);
		}
		if (!found) {
			struct buf known = {0};

			list_modules(m, &known);
			err_set(e, "no module of this model that could be adapted is called '%s' (%s)", one, known.p);
			buf_free(&known);
			free(one);
			return -1;
		}
		free(one);
	}
	return m->adapter.parts ? 0 : err_set(e, "no module of this model can be adapted");
}

/* PEFT leaves tensors alone whose modules the settings do not mean. Which of both is a mistake is not known here. */
static int check_scope(const struct adapter_config *c, const char *tensor, struct err *e)
{
	const size_t n = strlen(tensor) - strlen(".lora_A.weight");
	char *module = xstrndup(tensor + strlen(PREFIX) + 1, n - strlen(PREFIX) - 1);
	const char *key;
	int rc = adapter_scope(c, module, &key, e);

	if (rc < 0)
		err_prefix(e, ADAPTER_CONFIG);
	else if (!rc)
		err_set(e, "there are tensors for '%s', but by '%s' of " ADAPTER_CONFIG " it is not adapted", module, key);
	free(module);
	return rc > 0 ? 0 : -1;
}

static int check_tensors(const struct model *m, const struct adapter_config *c, const struct safetensors *from, struct err *e)
{
	struct map known = {0};
	size_t i;
	int rc = 0;

	for (i = 0; i < m->adapter.parts; i++)
		*map_put(&known, m->adapter.part[i].name, strlen(m->adapter.part[i].name)) = 1;
	for (i = 0; i < from->n && rc == 0; i++)
		if (!map_get(&known, from->tensor[i].name, strlen(from->tensor[i].name)))
			rc = err_set(e, "tensor '%s' adapts nothing that could be adapted", from->tensor[i].name);
		else if (strstr(from->tensor[i].name, ".lora_A."))
			rc = check_scope(c, from->tensor[i].name, e);
	map_free(&known);
	if (rc == 0 && !m->adapter.parts)
		rc = err_set(e, "there are no tensors of an adapter in it");
	return rc;
}

int lora_declare(struct model *m, const struct adapter_config *c, const struct safetensors *from, struct err *e)
{
	const struct params *p = &m->params;
	size_t i, first, last;

	m->lora = arena_calloc(&m->arena, p->tensors * sizeof *m->lora);
	for (i = 0; i < p->tensors; i++) {
		first = p->tensor_part[i];
		last = i + 1 < p->tensors ? p->tensor_part[i + 1] : p->parts;
		adapt(m, c, from, i, first, last);
	}
	return from ? check_tensors(m, c, from, e) : check_targets(m, c->targets, e);
}

void lora_init(struct model *m, uint64_t seed)
{
	size_t i;

	for (i = 0; i < m->adapter.parts; i++) {
		const struct part *p = &m->adapter.part[i];
		int64_t n = part_count(p), j;
		float *w;
		struct rng r;

		if (!strstr(p->name, ".lora_A."))
			continue;
		w = xmalloc((size_t)n * sizeof *w);
		r = rng_new(seed, hash_str(p->name));
		for (j = 0; j < n; j++)
			w[j] = (float)((2 * rng_double(&r) - 1) / sqrt((double)p->shape[1]));
		params_put(&m->adapter, p, 0, p->shape[0], w, WEIGHT_F32);
		free(w);
	}
}

void lora_switch(struct model *m, bool on)
{
	size_t i;

	for (i = 0; m->lora && i < m->params.tensors; i++)
		m->params.tensor[i]->lora = on ? m->lora[i] : NULL;
}

int lora_check(const struct model *m, struct err *e)
{
	bool any = false;
	size_t i;

	for (i = 0; i < m->params.tensors; i++)
		any = any || (m->lora[i] && m->lora[i]->used);
	for (i = 0; any && i < m->params.tensors; i++)
		if (m->lora[i] && !m->lora[i]->used)
			return err_set(e, "'%s' cannot be adapted: this family does not multiply by it in the plain way",
				       m->params.part[m->params.tensor_part[i]].name);
	return 0;
}

const char *const *lora_modules(struct model *m, size_t *n)
{
	const char **list = arena_calloc(&m->adapter.arena, (PROJECTIONS + 1) * sizeof *list);
	size_t i, k;

	*n = 0;
	for (i = 0; i < PROJECTIONS; i++) {
		char *end = xasprintf(".%s.lora_A.weight", projections[i]);
		bool there = false;

		for (k = 0; k < m->adapter.parts && !there; k++)
			there = strstr(m->adapter.part[k].name, end) != NULL;
		if (there)
			list[(*n)++] = projections[i];
		free(end);
	}
	return list;
}

void lora_merge(const struct model *m, const struct part *part, int64_t from, int64_t rows, float *w)
{
	const struct lora *l = m->lora[part->tensor];
	struct backend *be = m->be;
	int64_t cols = part->shape[1], p;
	float *room, *b;

	for (p = 0; l && p < l->parts; p++) {
		if (l->part[p].row != part->row)
			continue;
		room = be->alloc(be, (size_t)(rows * cols) * sizeof *room);
		b = be->alloc(be, (size_t)(rows * l->rank) * sizeof *b);
		be->upload(be, room, w, (size_t)(rows * cols) * sizeof *room);
		be->copy(be, b, tensor_at(l->part[p].b, l->part[p].b->data, from * l->rank), (size_t)(rows * l->rank) * sizeof *b);
		be->scale(be, b, l->scale, rows * l->rank);
		be->half = false;               /* what is added is rounded once, when it is written */
		be->gemm(be, &(struct gemm){.m = rows, .n = cols, .k = l->rank, .a = b, .lda = l->rank,
					    .b = tensor_at(l->a, l->a->data, p * l->rank * cols), .ldb = cols, .c = room, .ldc = cols, .accumulate = true});
		be->download(be, w, room, (size_t)(rows * cols) * sizeof *room);
		be->free(be, room);
		be->free(be, b);
	}
}
