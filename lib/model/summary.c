#include "model/summary.h"

#include <stdlib.h>
#include <string.h>

#include "model/lora.h"
#include "model/optimizer.h"
#include "model/pass.h"
#include "tensor/dry.h"

int summary_count_tokens(const char *text, size_t n, const char *name, int64_t *count, struct err *e)
{
	struct js *j = js_parse(text, n, name, e);
	const struct js *added = js_get(j, "added_tokens");
	struct js_iter it;
	int64_t last = -1;
	size_t i;

	if (!j)
		return -1;
	*count = 0;
	for (it = js_each(js_get(js_get(j, "model"), "vocab")); js_next(&it);)
		last = js_int(it.value) > last ? js_int(it.value) : last;
	for (i = 0; i < js_size(added); i++)
		last = js_int(js_get(js_at(added, i), "id")) > last ? js_int(js_get(js_at(added, i), "id")) : last;
	js_free(j);
	if (last < 0)
		return err_set(e, "%s: holds no tokens", name);
	if (last >= INT32_MAX)
		return err_set(e, "%s: has a token %lld", name, (long long)last);
	*count = last + 1;
	return 0;
}

/* Rounded, and no more than an int64_t holds. */
static int64_t bytes_of(double x)
{
	return x < 0x1p62 ? (int64_t)x : INT64_MAX / 2;
}

static struct model *dry_model(const struct summary *s, struct backend *be, enum model_use use)
{
	return s->ck ? model_for_tensors(&s->config, s->ck->weights, be, use, DTYPE_AUTO, NULL) : model_new(&s->config, be, use, DTYPE_AUTO, NULL);
}

/* Training all weights; or an adapter, a new one or the checkpoint's. */
static int64_t measure_trainer(const struct summary *s, bool adapter)
{
	struct adapter_config fresh = adapter_config_new("", SUMMARY_LORA_RANK, 2 * SUMMARY_LORA_RANK, "all");
	struct backend *be = backend_dry_new(NULL);
	struct model *m = adapter ? dry_model(s, be, MODEL_SCORE) : model_new(&s->config, be, MODEL_TRAIN, DTYPE_AUTO, NULL);
	bool own = s->ck && s->ck->base;
	int64_t bytes = 0;
	struct err e;

	if (!adapter || lora_declare(m, own ? &s->ck->lora : &fresh, own ? s->ck->adapter : NULL, &e) == 0) {
		struct optimizer *o;

		if (adapter)
			params_alloc_trained(&m->adapter, be, KEPT_F32);
		o = optimizer_new(adapter ? &m->adapter : &m->params, &(struct optimizer_args){.beta1 = 0.9});
		bytes = (int64_t)backend_dry_peak(be);
		optimizer_free(o);
	}
	model_free(m);
	be->destroy(be);
	adapter_config_free(&fresh);
	return bytes;
}

/* On a backend that only counts. */
static void measure_memory(struct summary *s)
{
	const struct config *c = &s->config;
	struct memory *k = &s->memory;
	bool own = s->ck && s->ck->base;
	struct backend *be;
	struct model *m;

	k->trainer = measure_trainer(s, own);
	k->lora = own ? 0 : measure_trainer(s, true);
	k->activations = pass_measure(c, NULL, k->length, 0);
	k->recomputing = pass_measure(c, NULL, k->length, PASS_RECOMPUTES);
	be = backend_dry_new(NULL);
	m = dry_model(s, be, MODEL_SAMPLE);
	k->sampler = (int64_t)backend_dry_peak(be);
	k->cache_per_token = c->layers * (m->k_width + m->v_width) * (int64_t)sizeof(float);
	model_free(m);
	be->destroy(be);
	k->cache = bytes_of((double)k->cache_per_token * (double)k->length * (double)k->sequences);
	k->sampling = bytes_of((double)k->sampler + (double)k->cache);
	k->training = bytes_of((double)k->trainer + (double)k->activations);
}

static void summarize_weights(struct summary *s)
{
	const struct safetensors *weights = s->ck->weights;
	struct map known = {0};
	size_t i;

	model_names(s->shapes, &known);
	for (i = 0; i < weights->n; i++) {
		const struct st_tensor *t = &weights->tensor[i];

		if (model_is_scale(&known, t->name)) {
			s->bytes += (int64_t)t->bytes;
			continue;
		}
		if (!map_get(&known, t->name, strlen(t->name))) {
			if (!s->unused++)
				s->first_unused = t->name;
			continue;
		}
		s->bytes += (int64_t)t->bytes;
		if (!s->dtype)
			s->dtype = st_dtype_name(t->dtype);
		else if (strcmp(s->dtype, st_dtype_name(t->dtype)) != 0)
			s->dtype = "mixed";
	}
	map_free(&known);
}

static int summarize_checkpoint(struct summary *s, struct err *e)
{
	const struct checkpoint_file *f;
	struct err none;
	size_t i;

	s->ck = checkpoint_open(s->path, e);
	if (!s->ck)
		return -1;
	s->config = config_copy(&s->ck->config);
	s->shapes = model_new(&s->config, NULL, MODEL_SCORE, DTYPE_AUTO, e);
	if (!s->shapes)
		return err_prefix(e, "%s", s->path);
	if (params_check(&s->shapes->params, s->ck->weights, e) < 0)
		return err_prefix(e, "%s", s->path);
	summarize_weights(s);
	for (i = 0; s->ck->base && i < s->ck->adapter->n; i++)
		s->adapter += s->ck->adapter->tensor[i].count;
	f = checkpoint_file(s->ck, "tokenizer.json", e);
	if (f && summary_count_tokens(f->text, f->n, f->path, &s->tokens, e) < 0)
		return -1;
	f = checkpoint_file(s->ck, "tokenizer_config.json", &none);
	s->template = checkpoint_file(s->ck, "chat_template.jinja", &none) || (f && strstr(f->text, "\"chat_template\""));
	s->optimizer = checkpoint_file(s->ck, OPTIMIZER_STATE, &none) != NULL;
	return state_read(s->ck, &s->state, e);
}

int summary_read(struct summary *s, const char *path, int64_t length, int64_t sequences, struct err *e)
{
	size_t n = strlen(path), i;
	enum st_dtype dtype;

	*s = (struct summary){.path = path};
	if (n > 5 && !strcmp(path + n - 5, ".json")) {
		if (config_read(&s->config, path, e) < 0)
			return -1;
		s->shapes = model_new(&s->config, NULL, MODEL_SCORE, DTYPE_AUTO, e);
		if (!s->shapes)
			return err_prefix(e, "%s", path);
		dtype = model_file_dtype(&s->config);
		s->dtype = st_dtype_name(dtype);
		s->bytes = s->shapes->params.count * (int64_t)st_dtype_size(dtype);
	} else if (summarize_checkpoint(s, e) < 0) {
		return -1;
	}
	for (i = 0; i < s->shapes->params.parts; i++)
		if (s->shapes->params.part[i].shape[0] == s->config.vocab_size && s->shapes->params.part[i].ndim == 2)
			s->head += part_count(&s->shapes->params.part[i]);
	s->memory.length = length ? length : s->config.max_positions < 4096 ? s->config.max_positions : 4096;
	s->memory.sequences = sequences;
	measure_memory(s);
	return 0;
}

void summary_free(struct summary *s)
{
	model_free(s->shapes);
	config_free(&s->config);
	checkpoint_close(s->ck);
}
