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

/* Llama 3.1's (Grattafiori et al., "The Llama 3 Herd of Models", arXiv:2407.21783, has no formula; Hugging Face's files do) */
static int read_llama3(struct config *c, const struct js *j, struct err *e)
{
	struct rope_scaling *s = &c->rope;

	if (config_number(j, "factor", 0, 1, &s->factor, e) < 0 ||
	    config_size(j, "original_max_position_embeddings", 0, INT32_MAX, &s->original, e) < 0 ||
	    config_number(j, "low_freq_factor", 1, 0, &s->low_freq_factor, e) < 0 ||
	    config_number(j, "high_freq_factor", 4, 0, &s->high_freq_factor, e) < 0)
		return -1;
	if (s->factor == 0)
		return err_set(e, "'factor' is missing");
	if (!(s->low_freq_factor > 0 && s->high_freq_factor > s->low_freq_factor))
		return err_set(e, "llama3 needs 0 < 'low_freq_factor' < 'high_freq_factor'");
	return 0;
}

static int read_linear(struct config *c, const struct js *j, struct err *e)
{
	if (config_number(j, "factor", 0, 1, &c->rope.factor, e) < 0)
		return -1;
	return c->rope.factor == 0 ? err_set(e, "'factor' is missing") : 0;
}

static const char *const no_keys[] = {NULL}, *const linear_keys[] = {"factor", NULL},
	*const yarn_keys[] = {"factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "attention_factor",
			      "truncate", NULL},
	*const llama3_keys[] = {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", NULL};
static const struct {
	const char *name;
	enum rope_type type;
	const char *const *keys;
	int (*read)(struct config *c, const struct js *j, struct err *e);      /* NULL: there is nothing to read */
} rope_types[] = {
	{"default", ROPE_DEFAULT, no_keys, NULL},
	{"yarn", ROPE_YARN, yarn_keys, read_yarn},
	{"llama3", ROPE_LLAMA3, llama3_keys, read_llama3},
	{"linear", ROPE_LINEAR, linear_keys, read_linear},
};
enum { ROPE_TYPES = sizeof rope_types / sizeof *rope_types };

const char *rope_name(enum rope_type type)
{
	int i;

	for (i = 0; rope_types[i].type != type; i++)
		;
	return rope_types[i].name;
}

/* One object of "rope_scaling" or "rope_parameters" */
static int read_scaling(struct config *c, const char *key, const struct js *j, struct err *e)
{
	static const char *const common[] = {"rope_type", "type", "rope_theta", "partial_rotary_factor", NULL};
	const char *type = type_of(j);
	const struct js *partial = js_get(j, "partial_rotary_factor");
	struct js_iter it;
	bool known = js_is_object(j) && type;
	int i;

	for (i = 0; known && i < ROPE_TYPES && strcmp(type, rope_types[i].name) != 0; i++)
		;
	known = known && i < ROPE_TYPES;
	for (it = js_each(j); known && js_next(&it);)
		known = is_one_of(it.key, common) || is_one_of(it.key, rope_types[i].keys);
	if (partial && !js_is_null(partial) && !(js_is_number(partial) && js_number(partial) == 1))
		known = false;
	if (!known)
		return config_refuse(key, j, "", e);
	c->rope.type = rope_types[i].type;
	return rope_types[i].read && rope_types[i].read(c, j, e) < 0 ? err_prefix(e, "'%s'", key) : 0;
}

/* Newer files have the base among the rest, in "rope_parameters"; what stands in two places must be the same. */
static int read_theta(struct config *c, const struct js *j, struct err *e)
{
	static const char *const inner[] = {"rope_parameters", "rope_scaling"};
	double other;
	size_t i;

	if (config_number(j, "rope_theta", 0, 1, &c->rope_theta, e) < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		if (config_number(js_get(j, inner[i]), "rope_theta", c->rope_theta, 1, &other, e) < 0)
			return err_prefix(e, "'%s'", inner[i]);
		if (c->rope_theta != 0 && other != c->rope_theta)
			return err_set(e, "'rope_theta' is %g in one place and %g in '%s'", c->rope_theta, other, inner[i]);
		c->rope_theta = other;
	}
	if (c->rope_theta == 0)
		c->rope_theta = 10000;
	return 0;
}

int config_rope(struct config *c, const struct js *j, struct err *e)
{
	const struct js *scaling = js_get(j, "rope_scaling"), *parameters = js_get(j, "rope_parameters");
	struct rope_scaling first;

	if (read_theta(c, j, e) < 0)
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
static double yarn_pair(const struct config *c, double span)
{
	const double D = (double)c->head_dim, two_pi = 6.283185307179586;

	return D * log((double)c->rope.original / (span * two_pi)) / (2 * log(c->rope_theta));
}

double rope_mscale(double factor, double mscale)
{
	return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* theta^(2i/D) */
static float base_power(const struct config *c, int64_t i)
{
	return (float)pow((float)c->rope_theta, (float)(2 * i) / (float)c->head_dim);
}

/* Slow pairs turn `factor` times slower, fast ones as they did, those between by a linear ramp. */
static double yarn(const struct config *c, float *frequency)
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
		const float ramp = fminf(fmaxf(((float)i - (float)low) / (float)(high - low), 0), 1), span = base_power(c, i);
		const float kept = 1 - ramp, slow = 1 / ((float)s->factor * span) * (1 - kept), fast = 1 / span * kept;

		frequency[i] = slow + fast;
	}
	if (s->attention_factor != 0)
		return s->attention_factor;
	if (s->mscale != 0 && s->mscale_all_dim != 0)
		return rope_mscale(s->factor, s->mscale) / rope_mscale(s->factor, s->mscale_all_dim);
	return rope_mscale(s->factor, 1);
}

/* Pairs that turn less than low_freq_factor times over the original context turn `factor` times slower, those that turn more than
 * high_freq_factor times as they did, those between by a ramp over the number of turns. */
static void llama3(const struct config *c, float *frequency)
{
	const struct rope_scaling *s = &c->rope;
	const float original = (float)s->original, low = (float)s->low_freq_factor, width = (float)(s->high_freq_factor - s->low_freq_factor);
	int64_t i;

	for (i = 0; i < c->head_dim / 2; i++) {
		const float tokens = 1 / frequency[i] * 6.283185307179586f;     /* to a turn */
		const float smooth = fminf(fmaxf((1 / tokens * original - low) / width, 0), 1);

		frequency[i] = (1 - smooth) * frequency[i] / (float)s->factor + smooth * frequency[i];
	}
}

double rope_frequencies(const struct config *c, float *frequency)
{
	int64_t i;

	for (i = 0; i < c->head_dim / 2; i++)
		frequency[i] = 1 / base_power(c, i);
	if (c->rope.type == ROPE_YARN)
		return yarn(c, frequency);
	if (c->rope.type == ROPE_LLAMA3)
		llama3(c, frequency);
	for (i = 0; c->rope.type == ROPE_LINEAR && i < c->head_dim / 2; i++)
		frequency[i] /= (float)c->rope.factor;
	return 1;
}

void rope_turn(const float *frequency, double size, int64_t head_dim, int64_t position, float *row)
{
	int64_t i;

	for (i = 0; i < head_dim / 2; i++) {
		const float angle = (float)position * frequency[i];

		row[i] = (float)cos(angle) * (float)size;
		row[head_dim / 2 + i] = (float)sin(angle) * (float)size;
	}
}
