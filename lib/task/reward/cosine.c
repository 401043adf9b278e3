/* Length by a half wave of the cosine (Yeo et al. 2025, "Demystifying long chain-of-thought", section 4; values as in open-r1): short right
 * answers earn most, long ones less; of wrong ones those that were thought about longest lose least.
 *     value = long + (short - long) * (1 + cos(pi * length / max)) / 2,  with the two values of right or of wrong answers
 * At `max` and beyond it is the value for long ones, or `over` if that is given (Yeo et al.: -10). */
#include <math.h>

#include "task/reward.h"

struct options {
	int64_t max;
	double right_short, right_long, wrong_short, wrong_long, over;
	const char *unit;
};

static int check(void *options, struct err *e)
{
	const struct options *o = options;

	return o->max ? 0 : err_set(e, "max=N must be given");
}

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	double length, from, to, wave;
	int rc = scored_accuracy(s, e);

	if (rc < 0)
		return rc;
	if (completion_length(s->record, s->text, s->n, o->unit, &length, e) < 0)
		return -1;
	if (isnan(s->accuracy)) {
		buf_str(&s->reason, "neither right nor wrong");
		return 0;
	}
	from = s->accuracy == 1 ? o->right_short : o->wrong_short;
	to = s->accuracy == 1 ? o->right_long : o->wrong_long;
	wave = length < (double)o->max ? (1 + cos(acos(-1) * length / (double)o->max)) / 2 : 0;
	s->value = length >= (double)o->max && !isnan(o->over) ? o->over : to + (from - to) * wave;
	buf_printf(&s->reason, "%s in %g of %lld %s", s->accuracy == 1 ? "right" : "wrong", length, (long long)o->max, o->unit);
	return 0;
}

static const struct options defaults = {0, 1, .5, -1, -.5, NAN, "tokens"};
static const struct param params[] = {
	{"max", OPT_INT, offsetof(struct options, max), "N", "length at which the wave ends (must be given)", 1, 1e9},
	{"right-short", OPT_FLOAT, offsetof(struct options, right_short), "X", "right, and nothing written"},
	{"right-long", OPT_FLOAT, offsetof(struct options, right_long), "X", "right, with max"},
	{"wrong-short", OPT_FLOAT, offsetof(struct options, wrong_short), "X", "wrong, and nothing written"},
	{"wrong-long", OPT_FLOAT, offsetof(struct options, wrong_long), "X", "wrong, with max"},
	{"over", OPT_FLOAT, offsetof(struct options, over), "X", "value from max on, right or wrong; as with max if it is not given"},
	{"unit", OPT_CHOICE, offsetof(struct options, unit), "tokens|words|characters", "what is counted"},
	PARAM_END};

const struct reward reward_cosine = {
	{"cosine", "by accuracy and length: short right answers earn most, short wrong ones least", params, &defaults, sizeof defaults, check},
	false, score, NULL};
