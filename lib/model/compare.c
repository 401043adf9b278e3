#include "model/compare.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PIECE ((int64_t)1 << 16)

static bool is_float(enum st_dtype d)
{
	return d == ST_F32 || d == ST_F16 || d == ST_BF16;
}

struct sums {
	double a2, d2;                  /* squares of a and of a - b */
};

static void compare_piece(const float *x, const float *y, int64_t n, struct difference *d, struct sums *s)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		double delta = (double)x[i] - (double)y[i];

		s->a2 += (double)x[i] * (double)x[i];
		if (!memcmp(&x[i], &y[i], sizeof *x))
			continue;
		d->differ++;
		s->d2 += delta * delta;
		if (isnan(delta) || fabs(delta) > d->max_abs)
			d->max_abs = isnan(d->max_abs) ? d->max_abs : fabs(delta);
	}
}

static void compare_values(const struct safetensors *sa, const struct safetensors *sb, struct difference *d)
{
	float *x = xmalloc((size_t)PIECE * sizeof *x), *y = xmalloc((size_t)PIECE * sizeof *y);
	struct sums s = {0};
	int64_t at, n;

	for (at = 0; at < d->a->count; at += n) {
		n = d->a->count - at < PIECE ? d->a->count - at : PIECE;
		safetensors_floats(sa, d->a, at, n, x, NULL);
		safetensors_floats(sb, d->b, at, n, y, NULL);
		compare_piece(x, y, n, d, &s);
	}
	d->relative = s.d2 > 0 || isnan(s.d2) ? sqrt(s.d2) / sqrt(s.a2) : 0;
	free(x);
	free(y);
}

static void compare_pair(const struct safetensors *sa, const struct safetensors *sb, struct difference *d)
{
	const struct st_tensor *a = d->a, *b = d->b;

	if (a->ndim != b->ndim || memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) != 0) {
		d->kind = DIFFERENCE_SHAPE;
	} else if (a->dtype == b->dtype && !memcmp(a->data, b->data, a->bytes)) {
		d->kind = DIFFERENCE_NONE;
	} else if (is_float(a->dtype) && is_float(b->dtype)) {
		d->kind = DIFFERENCE_VALUES;
		compare_values(sa, sb, d);
	} else {
		d->kind = DIFFERENCE_BYTES;
	}
}

void compare_tensors(const struct safetensors *a, const struct safetensors *b, void (*each)(void *arg, const struct difference *d), void *arg)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		struct difference d = {.name = a->tensor[i].name, .kind = DIFFERENCE_ONLY_A, .a = &a->tensor[i]};

		d.b = safetensors_find(b, d.name);
		if (d.b)
			compare_pair(a, b, &d);
		each(arg, &d);
	}
	for (i = 0; i < b->n; i++) {
		struct difference d = {.name = b->tensor[i].name, .kind = DIFFERENCE_ONLY_B, .b = &b->tensor[i]};

		if (!safetensors_find(a, d.name))
			each(arg, &d);
	}
}
