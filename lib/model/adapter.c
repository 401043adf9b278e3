#include "model/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/config_private.h"

/* Settings that change what is computed, and that must be absent, null, false, empty or this word. */
static const struct {
	const char *key, *word;
} plain[] = {
	{"bias", "none"}, {"use_dora", NULL}, {"fan_in_fan_out", NULL}, {"modules_to_save", NULL}, {"rank_pattern", NULL}, {"alpha_pattern", NULL},
	{"lora_bias", NULL}, {"layer_replication", NULL}, {"trainable_token_indices", NULL}, {"target_parameters", NULL}, {"use_qalora", NULL},
	{"alora_invocation_tokens", NULL}, {"megatron_config", NULL}, {"arrow_config", NULL}, {"use_bdlora", NULL}, {"kasa_config", NULL},
	{"monteclora_config", NULL}, {"velora_config", NULL},
};

static bool is_plain(const struct js *v, const char *word)
{
	if (!v || js_is_null(v) || (js_is_bool(v) && !js_bool(v)))
		return true;
	if (js_is_string(v))
		return word && !strcmp(js_string(v, NULL), word);
	return (js_is_object(v) || js_is_array(v)) && js_size(v) == 0;
}

static int refuse(const struct js *j, struct err *e)
{
	const struct js *start = js_get(j, "init_lora_weights");
	const char *word = js_string(start, NULL);
	size_t i;

	for (i = 0; i < sizeof plain / sizeof *plain; i++) {
		const struct js *v = js_get(j, plain[i].key);

		if (!is_plain(v, plain[i].word))
			return config_refuse(plain[i].key, v, "", e);
	}
	/* Those begin by changing the base model. */
	if (word && (!strncmp(word, "pissa", 5) || !strcmp(word, "olora") || !strcmp(word, "corda") || !strcmp(word, "loftq")))
		return err_set(e, "'init_lora_weights' = \"%s\" is not supported", word);
	return 0;
}

static int fill(struct adapter_config *c, struct err *e)
{
	const struct js *type = js_get(c->json, "peft_type"), *base = js_get(c->json, "base_model_name_or_path");
	const struct js *r = js_get(c->json, "r"), *alpha = js_get(c->json, "lora_alpha");
	const char *word = js_string(type, NULL);

	if (!js_is_object(c->json))
		return err_set(e, "is %s, not an object", js_type(c->json));
	if (!word || strcmp(word, "LORA") != 0)
		return err_set(e, "'peft_type' is %s%s, not \"LORA\"", word ? "another: " : js_type(type), word ? word : "");
	if (!js_is_int(r) || js_int(r) < 1 || js_int(r) > 65536)
		return err_set(e, "'r' is not a whole number from 1 to 65536");
	if (!js_is_number(alpha) || !isfinite(js_number(alpha)))
		return err_set(e, "'lora_alpha' is %s, not a number", js_type(alpha));
	if (!js_is_string(base))
		return err_set(e, "'base_model_name_or_path' is %s, not a string", js_type(base));
	c->base = xstrdup(js_string(base, NULL));
	c->rank = js_int(r);
	c->alpha = js_number(alpha);
	c->rslora = js_bool(js_get(c->json, "use_rslora"));
	return refuse(c->json, e) < 0 ? -1 : adapter_scope_check(c->json, e);
}

int adapter_config_parse(struct adapter_config *c, const char *text, size_t n, const char *name, struct err *e)
{
	*c = (struct adapter_config){.json = js_parse(text, n, name, e)};
	if (!c->json)
		return -1;
	return fill(c, e) < 0 ? err_prefix(e, "%s", name) : 0;
}

struct adapter_config adapter_config_new(const char *base, int64_t rank, double alpha, const char *targets)
{
	return (struct adapter_config){.base = xstrdup(base), .rank = rank, .alpha = alpha, .targets = xstrdup(targets)};
}

float adapter_scale(const struct adapter_config *c)
{
	return (float)(c->alpha / (c->rslora ? sqrt((double)c->rank) : (double)c->rank));
}

void adapter_config_write(const struct adapter_config *c, const char *const *module, size_t modules, const char *exclude, struct buf *to)
{
	struct js *j = c->json ? js_copy(c->json) : js_object(), *list;
	size_t i;

	if (!c->json) {
		js_set(j, "peft_type", js_new_str("LORA"));
		js_set(j, "task_type", js_new_str("CAUSAL_LM"));
		js_set(j, "base_model_name_or_path", js_new_str(c->base));
		js_set(j, "r", js_new_int(c->rank));
		js_set(j, "lora_alpha", c->alpha == floor(c->alpha) ? js_new_int((int64_t)c->alpha) : js_new_number(c->alpha));
		js_set(j, "lora_dropout", js_new_number(0));
		list = js_array();
		for (i = 0; i < modules; i++)
			js_push(list, js_new_str(module[i]));
		js_set(j, "target_modules", list);
		if (exclude)
			js_set(j, "exclude_modules", js_new_str(exclude));
		js_set(j, "modules_to_save", js_new_null());
		js_set(j, "bias", js_new_str("none"));
		js_set(j, "fan_in_fan_out", js_new_bool(false));
		js_set(j, "inference_mode", js_new_bool(true));
		js_set(j, "init_lora_weights", js_new_bool(true));
		js_set(j, "use_dora", js_new_bool(false));
		js_set(j, "use_rslora", js_new_bool(c->rslora));
	}
	js_write(j, 2, to);
	buf_char(to, '\n');
	js_free(j);
}

void adapter_config_free(struct adapter_config *c)
{
	free(c->base);
	free(c->targets);
	js_free(c->json);
	*c = (struct adapter_config){0};
}
