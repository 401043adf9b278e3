#include "model/schedule.h"

#include <math.h>

enum schedule_kind schedule_kind(const char *name)
{
	return name[0] == 'l' ? SCHEDULE_LINEAR : name[1] == 'o' && name[2] == 's' ? SCHEDULE_COSINE : SCHEDULE_CONSTANT;
}

double schedule_rate(const struct schedule *s, int64_t step)
{
	double done;

	if (step < s->warmup)
		return s->peak * (double)step / (double)s->warmup;
	if (s->kind == SCHEDULE_CONSTANT || s->steps <= s->warmup)
		return s->peak;
	done = (double)(step - s->warmup) / (double)(s->steps - s->warmup);
	if (done > 1)
		done = 1;
	if (s->kind == SCHEDULE_LINEAR)
		return s->peak * (1 - (1 - s->final) * done);
	return s->peak * (s->final + (1 - s->final) * 0.5 * (1 + cos(3.14159265358979323846 * done)));
}
