/* attention.cuh - the sequences of a flat batch, in device memory */
#ifndef TENSOR_CUDA_ATTENTION_CUH
#define TENSOR_CUDA_ATTENTION_CUH

#include "cuda.cuh"

struct device_seq {                     /* struct seq of backend.h */
	int32_t row, n, past, unused;
};

/* Made from host's sequences by cuda_batch. What changes from token to token is in device memory; the sizes change seldom. */
struct batch {
	const struct device_seq *seq;   /* [seqs] */
	const int32_t *of_row;          /* [rows]: which sequence a row belongs to */
	const int32_t *page;            /* [seqs][pages], or NULL where there is no cache */
	int64_t seqs, rows;
	int64_t pages;                  /* of a sequence's table: a power of two, at least as many as the longest has */
};

struct batch cuda_batch(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache);

#endif
