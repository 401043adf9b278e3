/* tensors.h - the tensors of a checkpoint, or of a .safetensors file alone, as lines for people or programs
 *
 *     struct tensors t;
 *     if (tensors_open(&t, "run/policy", &e) == 0)
 *             tensors_list(&t, false, true, print, NULL, &e);          // print(NULL, "model.norm.weight  F32 [64]  mean 1, std 0, ...")
 *     tensors_close(&t);
 */
#ifndef MODEL_TENSORS_H
#define MODEL_TENSORS_H

#include "model/checkpoint.h"

struct tensors {
	struct checkpoint *ck;          /* NULL: a file alone */
	struct safetensors *file, *optimizer;           /* NULL: none */
	const struct safetensors *weights;              /* of the file, the checkpoint, or the adapter that it is */
};

/* On error, too, t is ready for tensors_close. */
int tensors_open(struct tensors *t, const char *path, struct err *e);
void tensors_close(struct tensors *t);

/* A line for each: name, type and shape; with stats, what its numbers are like. */
int tensors_list(const struct tensors *t, bool json, bool stats, void (*line)(void *arg, const char *text), void *arg, struct err *e);
/* 1 where the two differ, and a line for each difference: settings, files beside the weights, weights, the optimizer's tensors. */
int tensors_diff(const struct tensors *a, const struct tensors *b, bool json, void (*line)(void *arg, const char *text), void *arg, struct err *e);

void tensor_shape(struct buf *to, const int64_t *shape, int ndim);             /* "[64, 256]" */

#endif
