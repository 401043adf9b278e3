/* compare.h - where two sets of tensors differ, and by how much
 *
 *     compare_tensors(a->weights, b->weights, each, &table);          // each(&table, &difference) for every tensor of either
 *
 * Tensors of a come in its files' order, then those that only b has. Numbers are compared as float32 whatever they are stored as; other
 * types than F32, F16 and BF16 by their bytes. Equal bits are equal, also NaN.
 */
#ifndef MODEL_COMPARE_H
#define MODEL_COMPARE_H

#include <stdint.h>

#include "model/safetensors.h"

enum difference_kind {
	DIFFERENCE_NONE,                /* type, shape and every bit are equal */
	DIFFERENCE_VALUES,              /* numbers, or only the type they are stored as (then `differ` is 0) */
	DIFFERENCE_BYTES,               /* of a type that is not computed with */
	DIFFERENCE_SHAPE,
	DIFFERENCE_ONLY_A,
	DIFFERENCE_ONLY_B
};

struct difference {
	const char *name;
	enum difference_kind kind;
	const struct st_tensor *a, *b;  /* NULL where there is none */
	int64_t differ;                 /* numbers that do */
	double max_abs;                 /* largest |a - b|; NaN if one of a pair is NaN */
	double relative;                /* |a - b| / |a|, norms over the tensor */
};

void compare_tensors(const struct safetensors *a, const struct safetensors *b, void (*each)(void *arg, const struct difference *d), void *arg);

#endif
