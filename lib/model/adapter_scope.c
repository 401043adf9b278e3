/* Which modules adapter_config.json means: target_modules, exclude_modules, layers_to_transform and layers_pattern, as PEFT takes them */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/adapter.h"
#include "text/pattern.h"

static bool is_list(const struct js *v, bool (*of)(const struct js *))
{
	size_t i;

	if (!js_is_array(v))
		return false;
	for (i = 0; i < js_size(v); i++)
		if (!of(js_at(v, i)))
			return false;
	return true;
}

static bool nothing(const struct js *v)
{
	return !v || js_is_null(v);
}

static bool is_word(const struct js *v)
{
	const char *s = js_string(v, NULL);

	for (; s && (isalnum((unsigned char)*s) || *s == '_'); s++)
		;
	return s && !*s;
}

int adapter_scope_check(const struct js *j, struct err *e)
{
	static const char *const modules[] = {"target_modules", "exclude_modules"};
	const struct js *v;
	size_t i;

	for (i = 0; i < 2; i++)
		if (!nothing(v = js_get(j, modules[i])) && !js_is_string(v) && !is_list(v, js_is_string))
			return err_set(e, "'%s' is neither a string nor a list of strings", modules[i]);
	v = js_get(j, "layers_to_transform");
	if (!nothing(v) && !js_is_int(v) && !is_list(v, js_is_int))
		return err_set(e, "'layers_to_transform' is neither a whole number nor a list of them");
	if (!nothing(v) && js_is_string(js_get(j, "target_modules")))
		return err_set(e, "'layers_to_transform' goes with a list of 'target_modules', not with a string");
	v = js_get(j, "layers_pattern");
	if (!nothing(v) && !is_word(v) && !is_list(v, is_word))
		return err_set(e, "'layers_pattern' is neither a name nor a list of names");
	return 0;
}

/* The whole name matches the regular expression: 1, 0, or -1. */
static int matches(const char *regex, const char *module, struct err *e)
{
	char *whole = xasprintf("(?:%s)\\z", regex);
	struct pattern *p = pattern_new(whole, strlen(whole), false, e);
	struct pattern_scratch *m = pattern_scratch_new();
	int rc = -1;

	if (p) {
		pattern_look(m, module, strlen(module));
		rc = pattern_starts(p, m, module, strlen(module));
	}
	pattern_scratch_free(m);
	pattern_free(p);
	free(whole);
	return rc;
}

static bool ends_with(const char *module, const char *name)
{
	size_t n = strlen(module), k = strlen(name);

	return k < n && !strcmp(module + n - k, name) && module[n - k - 1] == '.';
}

/* By a string, which is a regular expression, or a list of names, whole ones (*whole) or ends: 1, 0, or -1. */
static int named(const struct js *v, const char *module, bool *whole, struct err *e)
{
	bool end = false;
	size_t i;

	if (js_is_string(v))
		return matches(js_string(v, NULL), module, e);
	for (i = 0; i < js_size(v) && !*whole; i++) {
		*whole = !strcmp(js_string(js_at(v, i), NULL), module);
		end = end || ends_with(module, js_string(js_at(v, i), NULL));
	}
	return *whole || end;
}

/* The number of "model.layers.12.mlp.up_proj", the last one behind a name that stands behind another; below: NULL, or what that name must be. -1: there is none */
static int64_t layer_of(const char *module, const char *below)
{
	const char *at = strchr(module, '.'), *next;
	int64_t layer = -1;

	for (; at && (next = strchr(at + 1, '.')); at = next) {
		size_t n = (size_t)(next - at - 1);
		char *end;

		if (!isdigit((unsigned char)next[1]) || (below && (strlen(below) != n || strncmp(at + 1, below, n) != 0)))
			continue;
		long long number = strtoll(next + 1, &end, 10);

		if (*end == '.')
			layer = number;
	}
	return layer;
}

static bool in_layers(const struct js *j, const char *module)
{
	const struct js *layers = js_get(j, "layers_to_transform"), *below = js_get(j, "layers_pattern");
	int64_t layer = -1;
	size_t i;

	if (nothing(layers) || (js_is_array(layers) && !js_size(layers)))
		return true;
	if (js_is_array(below) && js_size(below)) {
		for (i = 0; i < js_size(below) && layer < 0; i++)
			layer = layer_of(module, js_string(js_at(below, i), NULL));
	} else {
		layer = layer_of(module, js_is_string(below) && *js_string(below, NULL) ? js_string(below, NULL) : NULL);
	}
	if (layer < 0 || js_is_int(layers))
		return layer >= 0 && layer == js_int(layers);
	for (i = 0; i < js_size(layers); i++)
		if (js_int(js_at(layers, i)) == layer)
			return true;
	return false;
}

int adapter_scope(const struct adapter_config *c, const char *module, const char **key, struct err *e)
{
	const struct js *targets = js_get(c->json, "target_modules"), *not = js_get(c->json, "exclude_modules");
	const char *word = js_string(targets, NULL);
	bool whole = false, excluded = false;
	int rc = 0;

	*key = "exclude_modules";
	if (!nothing(not) && (!js_is_string(not) || *js_string(not, NULL)) && (rc = named(not, module, &excluded, e)) != 0)
		return rc < 0 ? err_prefix(e, "'%s'", *key) : 0;
	*key = "target_modules";
	if (nothing(targets) || (word && !strcmp(word, "all-linear")))
		return 1;
	if ((rc = named(targets, module, &whole, e)) <= 0)
		return rc < 0 ? err_prefix(e, "'%s'", *key) : 0;
	*key = "layers_to_transform";
	return whole || word || in_layers(c->json, module);
}
