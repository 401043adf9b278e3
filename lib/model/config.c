#include "model/config_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"

/* Settings that change what a model computes, and the one value of each that all families here compute. Absent and null are fine
 * everywhere; a key that is not listed is taken to change nothing. */
enum demand {
	MUST_BE_FALSE, MUST_BE_TRUE, MUST_BE_NULL, MUST_BE_ZERO, MUST_BE_ONE, MUST_BE_SILU, MUST_BE_SIGMOID, MUST_BE_NOAUX_TC, MUST_BE_FULL_ATTENTION, MUST_NOT_SLIDE,
	MUST_BE_CAUSAL
};
static const struct {
	const char *key;
	enum demand demand;
	const char *model_type;         /* of this family only; with a '!' in front: of all others */
} demands[] = {
	{"architectures", MUST_BE_CAUSAL, NULL},
	{"hidden_act", MUST_BE_SILU, NULL},
	{"hidden_activation", MUST_BE_SILU, NULL},
	{"partial_rotary_factor", MUST_BE_ONE, NULL},
	{"rope_interleave", MUST_BE_FALSE, "!deepseek_v3"},
	{"use_mrope", MUST_BE_FALSE, NULL},
	{"use_sliding_window", MUST_NOT_SLIDE, NULL},
	{"layer_types", MUST_BE_FULL_ATTENTION, NULL},
	{"use_bidirectional_attention", MUST_BE_FALSE, NULL},
	{"is_causal", MUST_BE_TRUE, NULL},
	{"attention_bias", MUST_BE_TRUE, "qwen2"},
	{"qkv_bias", MUST_BE_TRUE, "qwen2"},
	{"qkv_bias", MUST_BE_FALSE, "!qwen2"},
	{"clip_qkv", MUST_BE_NULL, NULL},
	{"attention_chunk_size", MUST_BE_NULL, NULL},
	{"attn_temperature_tuning", MUST_BE_FALSE, NULL},
	{"no_rope_layers", MUST_BE_NULL, NULL},
	{"no_rope_layer_interval", MUST_BE_ZERO, NULL},
	{"mlp_bias", MUST_BE_FALSE, "!llama"},
	{"lm_head_bias", MUST_BE_FALSE, NULL},
	{"use_qk_norm", MUST_BE_FALSE, "!qwen3"},
	{"qk_layernorm", MUST_BE_FALSE, "!qwen3"},
	{"attn_logit_softcapping", MUST_BE_NULL, NULL},
	{"final_logit_softcapping", MUST_BE_NULL, NULL},
	{"query_pre_attn_scalar", MUST_BE_NULL, NULL},
	{"attention_multiplier", MUST_BE_NULL, NULL},
	{"embedding_multiplier", MUST_BE_ONE, NULL},
	{"scale_emb", MUST_BE_ONE, NULL},
	{"scale_depth", MUST_BE_NULL, NULL},
	{"dim_model_base", MUST_BE_NULL, NULL},
	{"residual_multiplier", MUST_BE_ONE, NULL},
	{"logits_scaling", MUST_BE_ONE, NULL},
	{"logit_scale", MUST_BE_ONE, NULL},
	{"num_experts", MUST_BE_ZERO, NULL},
	{"num_local_experts", MUST_BE_ZERO, NULL},
	{"n_routed_experts", MUST_BE_ZERO, "!deepseek_v3"},
	{"moe_layer_freq", MUST_BE_ONE, "deepseek_v3"},
	{"scoring_func", MUST_BE_SIGMOID, "deepseek_v3"},
	{"topk_method", MUST_BE_NOAUX_TC, "deepseek_v3"},
	{"is_encoder_decoder", MUST_BE_FALSE, NULL},
	{"add_cross_attention", MUST_BE_FALSE, NULL},
	{"compression_config", MUST_BE_NULL, NULL},
};

static bool is_word(const struct js *j, const char *word)
{
	return js_is_string(j) && !strcmp(js_string(j, NULL), word);
}

static bool all_full_attention(const struct js *j)
{
	size_t i;

	if (!js_is_array(j))
		return false;
	for (i = 0; i < js_size(j); i++)
		if (!is_word(js_at(j, i), "full_attention"))
			return false;
	return true;
}

#define CAUSAL "ForCausalLM"
#define SCALAR "ForSequenceClassification"

static bool all_end_in(const struct js *j, const char *end)
{
	size_t i, n;

	for (i = 0; i < js_size(j); i++) {
		const char *name = js_string(js_at(j, i), &n);

		if (!name || n < strlen(end) || strcmp(name + n - strlen(end), end) != 0)
			return false;
	}
	return js_is_array(j);
}

/* Of one label: a score. Two are the default of those who write such files. */
static bool is_scalar(const struct js *all)
{
	const struct js *names = js_get(all, "architectures"), *labels = js_get(all, "id2label"), *count = js_get(all, "num_labels");

	return js_size(names) && all_end_in(names, SCALAR) && (js_is_object(labels) ? js_size(labels) == 1 : js_is_int(count) && js_int(count) == 1);
}

/* Windows are for layers from max_window_layers on; newer files say it layer by layer. */
static bool no_window(const struct js *all)
{
	const struct js *from = js_get(all, "max_window_layers"), *layers = js_get(all, "num_hidden_layers"), *types = js_get(all, "layer_types");

	if (types && !js_is_null(types))
		return all_full_attention(types);
	return js_is_int(from) && js_is_int(layers) && js_int(from) >= js_int(layers);
}

static bool meets(const struct js *j, enum demand demand, const struct js *all)
{
	switch (demand) {
	case MUST_BE_FALSE:
		return js_is_bool(j) && !js_bool(j);
	case MUST_BE_TRUE:
		return js_bool(j);
	case MUST_BE_NULL:
		return false;
	case MUST_BE_ZERO:
		return js_is_number(j) && js_number(j) == 0;
	case MUST_BE_ONE:
		return js_is_number(j) && js_number(j) == 1;
	case MUST_BE_SILU:
		return is_word(j, "silu") || is_word(j, "swish");
	case MUST_BE_SIGMOID:
		return is_word(j, "sigmoid");
	case MUST_BE_NOAUX_TC:
		return is_word(j, "noaux_tc");
	case MUST_BE_FULL_ATTENTION:
		return all_full_attention(j);
	case MUST_BE_CAUSAL:
		return all_end_in(j, CAUSAL) || is_scalar(all);
	case MUST_NOT_SLIDE:
		return js_is_bool(j) && (!js_bool(j) || no_window(all));
	}
	return false;
}

int config_refuse(const char *key, const struct js *value, const char *more, struct err *e)
{
	struct buf text = {0};

	js_write(value, 0, &text);
	err_set(e, "'%s' = %.120s%s is not supported%s", key, text.p, text.n > 120 ? "..." : "", more);
	buf_free(&text);
	return -1;
}

static int refuse(const struct config *c, const struct js *j, struct err *e)
{
	size_t i;

	for (i = 0; i < sizeof demands / sizeof *demands; i++) {
		const struct js *value = js_get(j, demands[i].key);
		const char *of = demands[i].model_type;

		if (!value || js_is_null(value) || meets(value, demands[i].demand, j))
			continue;
		if (of && (*of == '!') == !strcmp(of + (*of == '!'), c->model_type))
			continue;
		return config_refuse(demands[i].key, value, demands[i].demand == MUST_BE_SILU ? " (only silu)" : "", e);
	}
	return 0;
}

static int get_int(const struct js *j, const char *key, int64_t min, int64_t max, int64_t *to, struct err *e)
{
	const struct js *v = js_get(j, key);

	if (!v || js_is_null(v))
		return 0;
	if (!js_is_int(v))
		return err_set(e, "'%s' is %s, not a whole number", key, js_is_number(v) ? "a real number" : js_type(v));
	if (js_int(v) < min || js_int(v) > max)
		return err_set(e, "'%s' is %lld, not between %lld and %lld", key, (long long)js_int(v), (long long)min, (long long)max);
	*to = js_int(v);
	return 0;
}

int config_size(const struct js *j, const char *key, int64_t absent, int64_t max, int64_t *to, struct err *e)
{
	*to = absent;
	if (get_int(j, key, 1, max, to, e) < 0)
		return -1;
	return *to ? 0 : err_set(e, "'%s' is missing", key);
}

int config_count(const struct js *j, const char *key, int64_t absent, int64_t max, int64_t *to, struct err *e)
{
	*to = absent;
	return get_int(j, key, 0, max, to, e);
}

int config_number(const struct js *j, const char *key, double absent, double min, double *to, struct err *e)
{
	const struct js *v = js_get(j, key);

	*to = absent;
	if (!v || js_is_null(v))
		return 0;
	if (!js_is_number(v))
		return err_set(e, "'%s' is %s, not a number", key, js_type(v));
	if (!(js_number(v) >= min) || isinf(js_number(v)))
		return err_set(e, "'%s' is %g, less than %g", key, js_number(v), min);
	*to = js_number(v);
	return 0;
}

int config_bool(const struct js *j, const char *key, bool absent, bool *to, struct err *e)
{
	const struct js *v = js_get(j, key);

	*to = absent;
	if (!v || js_is_null(v))
		return 0;
	if (!js_is_bool(v))
		return err_set(e, "'%s' is %s, not true or false", key, js_type(v));
	*to = js_bool(v);
	return 0;
}

static int get_word(const struct js *j, const char *key, const char *absent, char *to, size_t size, struct err *e)
{
	const struct js *v = js_get(j, key);
	const char *word = absent;
	size_t n;

	if (v && !js_is_null(v)) {
		word = js_string(v, &n);
		if (!word)
			return err_set(e, "'%s' is %s, not a string", key, js_type(v));
		if (!n || strlen(word) != n || n >= size)
			return err_set(e, "'%s' is no name that could be known", key);
	}
	if (!word)
		return err_set(e, "'%s' is missing", key);
	strcpy(to, word);
	return 0;
}

static int token_id(const struct config *c, const struct js *v, const char *key, int32_t *to, struct err *e)
{
	if (!js_is_int(v))
		return err_set(e, "'%s' holds %s, not a token id", key, js_type(v));
	if (js_int(v) < 0 || js_int(v) >= c->vocab_size)
		return err_set(e, "'%s' holds %lld, which is no token of a vocabulary of %lld", key, (long long)js_int(v), (long long)c->vocab_size);
	*to = (int32_t)js_int(v);
	return 0;
}

static int add_eos(struct config *c, const struct js *v, struct err *e)
{
	int32_t id;
	int i;

	if (token_id(c, v, "eos_token_id", &id, e) < 0)
		return -1;
	for (i = 0; i < c->eos_count; i++)
		if (c->eos[i] == id)
			return 0;
	if (c->eos_count == CONFIG_EOS)
		return err_set(e, "'eos_token_id' holds more than %d tokens", CONFIG_EOS);
	c->eos[c->eos_count++] = id;
	return 0;
}

static int get_tokens(struct config *c, const struct js *j, struct err *e)
{
	const struct js *bos = js_get(j, "bos_token_id"), *eos = js_get(j, "eos_token_id");
	size_t i;

	if (bos && !js_is_null(bos) && token_id(c, bos, "bos_token_id", &c->bos, e) < 0)
		return -1;
	if (eos && !js_is_null(eos) && !js_is_array(eos))
		return add_eos(c, eos, e);
	for (i = 0; i < js_size(eos); i++)
		if (add_eos(c, js_at(eos, i), e) < 0)
			return -1;
	return 0;
}

/* All parameters together with the numbers that training keeps for each must fit an address space. Doubles are enough to see that. */
static int check_sizes(const struct config *c, struct err *e)
{
	double C = (double)c->hidden_size, F = (double)c->intermediate_size, V = (double)c->vocab_size, D = (double)c->head_dim;
	double layer = 2 * C * D * (double)(c->heads + c->kv_heads) + 3 * C * F;
	const struct latent_config *l = &c->latent;

	if (l->kv_rank)
		layer = (C + (double)(c->heads * (l->nope + l->rope + l->value))) * (double)(l->q_rank + l->kv_rank + l->rope) +
			C * (double)(c->heads * (l->nope + l->rope + l->value)) +
			3 * C * (F + (double)(c->experts.count + c->experts.shared) * (double)c->experts.intermediate_size);

	if (c->heads % c->kv_heads)
		return err_set(e, "'num_attention_heads' %lld is no multiple of 'num_key_value_heads' %lld", (long long)c->heads, (long long)c->kv_heads);
	if (c->head_dim % 2)
		return err_set(e, "a head has %lld dimensions; rotary positions need an even number", (long long)c->head_dim);
	if ((double)c->layers * layer + 2 * V * C > 0x1p42)
		return err_set(e, "these sizes make more than 2^42 parameters");
	return 0;
}

static bool is(const struct config *c, const char *model_type)
{
	return !strcmp(c->model_type, model_type);
}

static int get_shape(struct config *c, const struct js *j, struct err *e)
{
	const bool deepseek = is(c, "deepseek_v3");

	if (config_size(j, "vocab_size", 0, INT32_MAX, &c->vocab_size, e) < 0 ||
	    config_size(j, "hidden_size", 0, 1 << 20, &c->hidden_size, e) < 0 ||
	    config_size(j, "num_hidden_layers", 0, 1 << 14, &c->layers, e) < 0 ||
	    config_size(j, "num_attention_heads", 0, 1 << 16, &c->heads, e) < 0 ||
	    config_size(j, "num_key_value_heads", c->heads, 1 << 16, &c->kv_heads, e) < 0 ||
	    config_size(j, "intermediate_size", 0, 1 << 24, &c->intermediate_size, e) < 0 ||
	    config_size(j, "max_position_embeddings", deepseek ? 4096 : is(c, "llama") ? 2048 : 32768, INT32_MAX, &c->max_positions, e) < 0 ||
	    config_bool(j, "attention_bias", false, &c->attention_bias, e) < 0 || config_bool(j, "mlp_bias", false, &c->mlp_bias, e) < 0)
		return -1;
	if (deepseek)
		return config_deepseek(c, j, e) < 0 ? -1 : check_sizes(c, e);
	if (is(c, "qwen3"))
		return config_size(j, "head_dim", 128, 1 << 16, &c->head_dim, e) < 0 ? -1 : check_sizes(c, e);
	if ((!js_get(j, "head_dim") || js_is_null(js_get(j, "head_dim"))) && c->hidden_size % c->heads)
		return err_set(e, "'hidden_size' %lld is no multiple of 'num_attention_heads' %lld", (long long)c->hidden_size, (long long)c->heads);
	if (config_size(j, "head_dim", c->hidden_size / c->heads, 1 << 16, &c->head_dim, e) < 0)
		return -1;
	return check_sizes(c, e);
}

/* Newer files write "dtype". */
static int fill(struct config *c, const struct js *j, struct err *e)
{
	if (!js_is_object(j))
		return err_set(e, "is %s, not an object", js_type(j));
	c->bos = -1;
	if (get_word(j, "model_type", NULL, c->model_type, sizeof c->model_type, e) < 0)
		return -1;
	if (refuse(c, j, e) < 0) {
		family_find(c->model_type, e);          /* of a family that is none of ours, that is what is told */
		return -1;
	}
	if (get_shape(c, j, e) < 0 || config_rope(c, j, e) < 0 || config_quantization(c, j, e) < 0)
		return -1;
	if (config_number(j, "rms_norm_eps", 1e-6, 0, &c->rms_norm_eps, e) < 0 ||
	    config_number(j, "initializer_range", 0.02, 0, &c->initializer_range, e) < 0 ||
	    config_bool(j, "tie_word_embeddings", false, &c->tie_word_embeddings, e) < 0 ||
	    get_word(j, js_get(j, "torch_dtype") ? "torch_dtype" : "dtype", "float32", c->dtype, sizeof c->dtype, e) < 0)
		return -1;
	c->scalar = is_scalar(j);
	return get_tokens(c, j, e);
}

int config_parse(struct config *c, const char *text, size_t n, const char *name, struct err *e)
{
	*c = (struct config){.bos = -1};
	c->json = js_parse(text, n, name, e);
	if (!c->json)
		return -1;
	return fill(c, c->json, e) < 0 ? err_prefix(e, "%s", name) : 0;
}

int config_read(struct config *c, const char *path, struct err *e)
{
	struct buf text = {0};
	int rc;

	*c = (struct config){.bos = -1};
	rc = file_read(path, &text, e);
	if (rc == 0)
		rc = config_parse(c, text.p, text.n, path, e);
	buf_free(&text);
	return rc;
}

int config_read_generation(struct config *c, const char *text, size_t n, const char *name, struct err *e)
{
	struct js *j = js_parse(text, n, name, e);
	int rc = 0;

	if (!j)
		return -1;
	if (!js_is_object(j))
		rc = err_set(e, "%s: is %s, not an object", name, js_type(j));
	else if (get_tokens(c, j, e) < 0)
		rc = err_prefix(e, "%s", name);
	js_free(j);
	return rc;
}

struct config config_copy(const struct config *c)
{
	struct config copy = *c;

	copy.json = c->json ? js_copy(c->json) : NULL;
	return copy;
}

void config_free(struct config *c)
{
	js_free(c->json);
	c->json = NULL;
}

static void set_int(struct js *j, const char *key, int64_t was, int64_t is)
{
	if (was != is)
		js_set(j, key, js_new_int(is));
}

static void set_number(struct js *j, const char *key, double was, double is)
{
	if (was != is)
		js_set(j, key, js_new_number(is));
}

int config_check_dtype(const struct config *c, struct err *e)
{
	if (strcmp(c->dtype, "float32") != 0 && strcmp(c->dtype, "bfloat16") != 0 && strcmp(c->dtype, "float16") != 0)
		return err_set(e, "'torch_dtype' = \"%s\" is not float32, bfloat16 or float16; --dtype names another", c->dtype);
	return 0;
}

void config_make_scalar(struct config *c)
{
	c->scalar_begins = !c->scalar;
	c->scalar = true;
}

/* Qwen2ForCausalLM -> Qwen2ForSequenceClassification, of one label */
static void write_scalar(struct js *j, const struct config *c)
{
	static const struct { const char *type, *name; } families[] = {
		{"qwen2", "Qwen2"}, {"qwen3", "Qwen3"}, {"llama", "Llama"}, {"deepseek_v3", "DeepseekV3"}};
	struct js *names = js_array(), *labels = js_object(), *ids = js_object();
	char name[64] = SCALAR;
	size_t i;

	for (i = 0; i < sizeof families / sizeof *families; i++)
		if (!strcmp(families[i].type, c->model_type))
			snprintf(name, sizeof name, "%s" SCALAR, families[i].name);
	js_push(names, js_new_str(name));
	js_set(j, "architectures", names);
	js_set(labels, "0", js_new_str("score"));
	js_set(j, "id2label", labels);
	js_set(ids, "score", js_new_int(0));
	js_set(j, "label2id", ids);
	/* They score the last token that is no padding: that must not be the end token, which is read here. */
	if (c->eos_count && js_int(js_get(j, "pad_token_id")) == c->eos[0])
		js_set(j, "pad_token_id", js_new_null());
}

void config_write(const struct config *c, struct buf *to)
{
	struct js *j = c->json ? js_copy(c->json) : js_object();
	struct config was = {.bos = -1};

	/* What the document says by itself, its defaults included: only what differs is set. */
	if (c->json)
		fill(&was, c->json, NULL);
	if (strcmp(was.model_type, c->model_type) != 0)
		js_set(j, "model_type", js_new_str(c->model_type));
	set_int(j, "vocab_size", was.vocab_size, c->vocab_size);
	set_int(j, "hidden_size", was.hidden_size, c->hidden_size);
	set_int(j, "num_hidden_layers", was.layers, c->layers);
	set_int(j, "num_attention_heads", was.heads, c->heads);
	set_int(j, "num_key_value_heads", was.kv_heads, c->kv_heads);
	set_int(j, "head_dim", was.head_dim, c->head_dim);
	set_int(j, "intermediate_size", was.intermediate_size, c->intermediate_size);
	set_int(j, "max_position_embeddings", was.max_positions, c->max_positions);
	set_number(j, "rms_norm_eps", was.rms_norm_eps, c->rms_norm_eps);
	set_number(j, "rope_theta", was.rope_theta, c->rope_theta);
	set_number(j, "initializer_range", was.initializer_range, c->initializer_range);
	if (was.tie_word_embeddings != c->tie_word_embeddings)
		js_set(j, "tie_word_embeddings", js_new_bool(c->tie_word_embeddings));
	if (strcmp(was.dtype, c->dtype) != 0)
		js_set(j, js_get(j, "dtype") ? "dtype" : "torch_dtype", js_new_str(c->dtype));
	if (c->scalar && !was.scalar)
		write_scalar(j, c);
	/* Weights are written as they are computed with, and without the layers that predict further tokens. */
	js_remove(j, "quantization_config");
	if (js_int(js_get(j, "num_nextn_predict_layers")))
		js_set(j, "num_nextn_predict_layers", js_new_int(0));
	js_write(j, 2, to);
	buf_char(to, '\n');
	js_free(j);
}
