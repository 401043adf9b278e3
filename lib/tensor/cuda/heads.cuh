/* heads.cuh - norms of heads, as their kernel takes them, and what may come with them */
#ifndef TENSOR_CUDA_HEADS_CUH
#define TENSOR_CUDA_HEADS_CUH

#include "attention.cuh"

struct headed {                         /* struct head_norms of backend.h */
	void *x, *raw;
	float *rstd;
	const float *w, *w2;            /* w NULL: no norms */
	int64_t rows, heads, queries, dim, stride;
	struct turn t;                  /* what comes next; cos_sin NULL: nothing */
	float eps;
	int32_t half;
};

/* Rotary positions of what the last operation normalised, and the pages that what it turned goes to, if that can be done with it: else false. */
bool cuda_turn_heads(struct cuda *c, const struct rope *r);
bool cuda_pages_heads(struct cuda *c, const struct write_pages *w, const struct attention *a);

#endif
