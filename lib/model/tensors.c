#include "model/tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "record/emit.h"

#define PIECE ((int64_t)1 << 20)        /* numbers looked at at a time */

int tensors_open(struct tensors *s, const char *path, struct err *e)
{
	static const char suffix[] = ".safetensors";
	size_t n = strlen(path), k = strlen(suffix);

	*s = (struct tensors){0};
	if (n > k && !strcmp(path + n - k, suffix)) {
		s->weights = s->file = safetensors_open(path, e);
		return s->file ? 0 : -1;
	}
	s->ck = checkpoint_open(path, e);
	if (!s->ck)
		return -1;
	s->weights = s->ck->base ? s->ck->adapter : s->ck->weights;
	e->msg[0] = 0;
	s->optimizer = checkpoint_tensors(s->ck, OPTIMIZER_WEIGHTS, e);
	return !s->optimizer && e->msg[0] ? -1 : 0;
}

void tensors_close(struct tensors *s)
{
	safetensors_close(s->optimizer);
	safetensors_close(s->file);
	checkpoint_close(s->ck);
}

void tensor_shape(struct buf *to, const int64_t *shape, int ndim)
{
	int i;

	buf_char(to, '[');
	for (i = 0; i < ndim; i++)
		buf_printf(to, "%s%lld", i ? ", " : "", (long long)shape[i]);
	buf_char(to, ']');
}

struct list {
	bool json, stats;
	void (*line)(void *arg, const char *text);
	void *arg;
};

struct statistics {
	double mean, std, min, max;     /* of the finite numbers; NaN where there are none */
	int64_t wild;                   /* numbers that are NaN or infinite */
};

static int measure(const struct safetensors *s, const struct st_tensor *t, struct statistics *to, struct err *e)
{
	float *x = xmalloc((size_t)PIECE * sizeof *x);
	double sum = 0, squares = 0;
	int64_t at, n, i;
	int rc = 0;

	*to = (struct statistics){.min = NAN, .max = NAN};
	for (at = 0; rc == 0 && at < t->count; at += n) {
		n = t->count - at < PIECE ? t->count - at : PIECE;
		rc = safetensors_floats(s, t, at, n, x, e);
		for (i = 0; rc == 0 && i < n; i++) {
			if (!isfinite(x[i])) {
				to->wild++;
				continue;
			}
			sum += (double)x[i];
			squares += (double)x[i] * (double)x[i];
			to->min = to->min <= (double)x[i] ? to->min : (double)x[i];
			to->max = to->max >= (double)x[i] ? to->max : (double)x[i];
		}
	}
	free(x);
	n = t->count - to->wild;
	to->mean = n ? sum / (double)n : NAN;
	to->std = n ? sqrt(fmax(0, squares / (double)n - to->mean * to->mean)) : NAN;
	return rc;
}

static int list_tensor(const struct list *o, const struct safetensors *s, const struct st_tensor *t, const char *prefix, struct buf *b,
		       struct err *e)
{
	struct statistics x = {0};
	int i;

	if (o->stats && measure(s, t, &x, e) < 0)
		return -1;
	if (o->json) {
		char *name = xasprintf("%s%s", prefix, t->name);

		buf_char(b, '{');
		emit_member_string(b, "tensor", name);
		emit_member_string(b, "dtype", st_dtype_name(t->dtype));
		emit_key(b, "shape");
		buf_char(b, '[');
		for (i = 0; i < t->ndim; i++)
			buf_printf(b, "%s%lld", i ? "," : "", (long long)t->shape[i]);
		buf_char(b, ']');
		if (o->stats) {
			emit_member_number(b, "mean", x.mean);
			emit_member_number(b, "std", x.std);
			emit_member_number(b, "min", x.min);
			emit_member_number(b, "max", x.max);
			emit_member_int(b, "not_finite", x.wild);
		}
		buf_char(b, '}');
		free(name);
	} else {
		buf_printf(b, "%s%s  %s ", prefix, t->name, st_dtype_name(t->dtype));
		tensor_shape(b, t->shape, t->ndim);
		if (o->stats && !isnan(x.mean))
			buf_printf(b, "  mean %.3g, std %.3g, from %.3g to %.3g", x.mean, x.std, x.min, x.max);
		if (o->stats && x.wild)
			buf_printf(b, "%s%s not finite", isnan(x.mean) ? "  " : ", ", HUMAN_COUNT(x.wild));
	}
	o->line(o->arg, b->p);
	buf_clear(b);
	return 0;
}

int tensors_list(const struct tensors *s, bool json, bool stats, void (*line)(void *arg, const char *text), void *arg, struct err *e)
{
	const struct list o = {json, stats, line, arg};
	struct buf b = {0};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < s->weights->n; i++)
		rc = list_tensor(&o, s->weights, &s->weights->tensor[i], "", &b, e);
	for (i = 0; rc == 0 && s->optimizer && i < s->optimizer->n; i++)
		rc = list_tensor(&o, s->optimizer, &s->optimizer->tensor[i], "optimizer/", &b, e);
	buf_free(&b);
	return rc;
}
