/* Rotary positions: the base, and how the angles are scaled beyond the context that a model was made for. */
#include <math.h>
#include <string.h>

#include "model/config_private.h"

static bool is_one_of(const char *key, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(key, *names))
			return true;
	return false;
}

/* "rope_type", which older files call "type"; none is "default" */
static const char *type_of(const struct js *j)
{
	const struct js *type = js_get(j, "rope_type");

	if (!type)
		type = js_get(j, "type");
	return type ? js_string(type, NULL) : "default";
}

static int read_yarn(struct config *c, const struct js *j, struct err *e)
{
	struct rope_scaling *s = &c->rope;

	if (config_number(j, "factor", 0, 1, &s->factor, e) < 0 ||
	    config_size(j, "original_max_position_embeddings", c->max_positions, INT32_MAX, &s->original, e) < 0 ||
	    config_number(j, "beta_fast", 32, 0, &s->beta_fast, e) < 0 || config_number(j, "beta_slow", 1, 0, &s->beta_slow, e) < 0 ||
	    config_number(j, "mscale", 0, 0, &s->mscale, e) < 0 || config_number(j, "mscale_all_dim", 0, 0, &s->mscale_all_dim, e) < 0 ||
	    config_number(j, "attention_factor", 0, 0, &s->attention_factor, e) < 0 || config_bool(j, "truncate", true, &s->truncate, e) < 0)
		return -1;
	if (s->factor == 0)
		return err_set(e, "'factor' is missing");
	if (s->beta_fast == 0)
		s->beta_fast = 32;
	if (s->beta_slow == 0)
		s->beta_slow = 1;
	if (c->rope_theta <= 1)
		return err_set(e, "yarn needs a 'rope_theta' above 1");
	return 0;
}

/* One object of "rope_scaling" or "rope_parameters" */
static int read_scaling(struct config *c, const char *key, const struct js *j, struct err *e)
{
	static const char *const common[] = {"rope_type", "type", "rope_theta", "partial_rotary_factor", NULL};
	static const char *const yarn[] = {"factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
					   "attention_factor", "truncate", NULL};
	const char *type = type_of(j);
	const struct js *partial = js_get(j, "partial_rotary_factor");
	struct js_iter it;
	bool known = js_is_object(j) && type;

	if (known && !strcmp(type, "default"))
		c->rope.type = ROPE_DEFAULT;
	else if (known && !strcmp(type, "yarn"))
		c->rope.type = ROPE_YARN;
	else
		known = false;
	for (it = js_each(j); known && js_next(&it);)
		known = is_one_of(it.key, common) || (c->rope.type == ROPE_YARN && is_one_of(it.key, yarn));
	if (partial && !js_is_null(partial) && !(js_is_number(partial) && js_number(partial) == 1))
		known = false;
	if (!known)
		return config_refuse(key, j, "", e);
	return c->rope.type == ROPE_YARN && read_yarn(c, j, e) < 0 ? err_prefix(e, "'%s'", key) : 0;
}

/* Newer files have the base among the rest, in "rope_parameters". */
int config_rope(struct config *c, const struct js *j, struct err *e)
{
	const struct js *scaling = js_get(j, "rope_scaling"), *parameters = js_get(j, "rope_parameters");
	struct rope_scaling first;

	if (config_number(js_get(j, "rope_theta") ? j : parameters, "rope_theta", 10000, 1, &c->rope_theta, e) < 0)
		return -1;
	if (scaling && !js_is_null(scaling) && read_scaling(c, "rope_scaling", scaling, e) < 0)
		return -1;
	first = c->rope;
	if (parameters && !js_is_null(parameters) && read_scaling(c, "rope_parameters", parameters, e) < 0)
		return -1;
	if (scaling && !js_is_null(scaling) && memcmp(&first, &c->rope, sizeof first) != 0)
		return err_set(e, "'rope_scaling' and 'rope_parameters' are not the same");
	return 0;
}

/* Peng et al., "YaRN", arXiv:2309.00071: the pair that turns so many times over the original context */
static double yarn_pair(const struct config *c, double turns)
{
	const double D = (double)c->head_dim, two_pi = 6.283185307179586;

	return D * log((double)c->rope.original / (turns * two_pi)) / (2 * log(c->rope_theta));
}

double rope_mscale(double factor, double mscale)
{
	return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* Slow pairs turn `factor` times slower, fast ones as they did, those between by a linear ramp. */
static double yarn(const struct config *c, double *frequency)
{
	const struct rope_scaling *s = &c->rope;
	double low = yarn_pair(c, s->beta_fast), high = yarn_pair(c, s->beta_slow);
	int64_t i;

	if (s->truncate) {
		low = floor(low);
		high = ceil(high);
	}
	low = fmax(low, 0);
	high = fmin(high, (double)c->head_dim - 1);
	if (low == high)
		high += 0.001;
	for (i = 0; i < c->head_dim / 2; i++) {
		const double ramp = fmin(fmax(((double)i - low) / (high - low), 0), 1);

		frequency[i] *= ramp / s->factor + (1 - ramp);
	}
	if (s->attention_factor != 0)
		return s->attention_factor;
	if (s->mscale != 0 && s->mscale_all_dim != 0)
		return rope_mscale(s->factor, s->mscale) / rope_mscale(s->factor, s->mscale_all_dim);
	return rope_mscale(s->factor, 1);
}

double rope_frequencies(const struct config *c, double *frequency)
{
	int64_t i;

	for (i = 0; i < c->head_dim / 2; i++)
		frequency[i] = pow(c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
	return c->rope.type == ROPE_YARN ? yarn(c, frequency) : 1;
}
