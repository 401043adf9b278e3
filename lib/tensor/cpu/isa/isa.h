/* isa.h - the names of what one instruction set's table (table.c) is made of; kernels.h says what each does */
#ifndef TENSOR_CPU_ISA_H
#define TENSOR_CPU_ISA_H

#include "../kernels.h"

#define ISA_JOIN2(name, isa) name##_##isa
#define ISA_JOIN(name, isa) ISA_JOIN2(name, isa)
#define ISA_FN(name) ISA_JOIN(name, ISA)

extern mm_fn *const ISA_FN(mm)[MM_PANELS + 1][MM_ROWS + 1];
extern mm_fn *const ISA_FN(mm_trans)[MM_PANELS + 1][MM_ROWS + 1];
extern const int64_t ISA_FN(mm_rows)[MM_PANELS + 1];
extern mm_fn *const ISA_FN(mm_half)[MM_PANELS + 1][MM_ROWS + 1];
extern mm_fn *const ISA_FN(mm_pairs)[MM_PANELS + 1][MM_ROWS + 1];
#if defined ISA_avx512
extern mm_fn *const ISA_FN(mm_dot)[MM_PANELS + 1][MM_ROWS + 1];
#endif
void ISA_FN(widen)(float *to, const uint16_t *from, int64_t n);
void ISA_FN(narrow)(uint16_t *to, const float *from, int64_t n);
void ISA_FN(widen_panel)(float *to, const uint16_t *panel, int64_t k);
void ISA_FN(narrow_panel)(uint16_t *panel, const float *from, int64_t ld, int64_t cols, int64_t k);
void ISA_FN(widen_transpose)(float *to, const uint16_t *from, int64_t ld, int64_t n, int64_t k);
void ISA_FN(transpose)(float *to, const float *from, int64_t ld, int64_t n, int64_t k);
void ISA_FN(column_blocks)(float *to, const float *from, int64_t ld, int64_t n, int64_t blocks, int64_t depth);

int64_t ISA_FN(attend_scratch)(const struct attend *);
void ISA_FN(attend)(const struct attend *);
int64_t ISA_FN(attend_back_scratch)(int64_t n, int64_t heads, int64_t head_dim);
void ISA_FN(attend_back)(const struct attend_back *);
int64_t ISA_FN(attend_latent_scratch)(const struct attend_latent *);
void ISA_FN(attend_latent)(const struct attend_latent *);
void ISA_FN(attend_latent_back)(float *p, float *ds, int64_t seen, int64_t n, float scale, float lse, const float *out, const float *dout,
				int64_t dim);

void ISA_FN(rmsnorm)(float *out, float *rstd, const float *x, const float *w, float eps, int64_t rows, int64_t cols);
void ISA_FN(rmsnorm_back)(float *dx, float *dw, const float *dout, const float *x, const float *w, const float *rstd, int64_t rows, int64_t cols,
			  bool accumulate);
void ISA_FN(rope)(const struct rope *);
void ISA_FN(swiglu)(float *out, const float *gate_up, int64_t rows, int64_t cols);
void ISA_FN(swiglu_back)(float *dgate_up, const float *dout, const float *gate_up, int64_t rows, int64_t cols);
void ISA_FN(sigmoid)(float *out, const float *x, int64_t n);
void ISA_FN(combine)(float *out, const float *x, const int32_t *place, const float *weight, int64_t rows, int64_t top, int64_t cols, bool accumulate);
void ISA_FN(weigh_back)(float *dweight, float *d, float *x, const float *weight, int64_t rows, int64_t cols);
void ISA_FN(add)(float *out, const float *a, const float *b, int64_t n);
void ISA_FN(scale)(float *x, float by, int64_t n);
void ISA_FN(column_sums)(float *sum, const float *x, int64_t rows, int64_t cols);
void ISA_FN(add_rows)(float *to, int64_t ld_to, const float *x, int64_t ld, const int32_t *id, int64_t rows, int64_t cols);
void ISA_FN(adamw)(float *w, float *m, float *v, const float *g, int64_t n, const struct adamw *, float unbias1, float unbias2);
double ISA_FN(sum_squares)(const float *x, int64_t n);
void ISA_FN(adamw_mixed)(const struct mixed *, int64_t n, const struct adamw *, float unbias1, float unbias2);
void ISA_FN(split)(uint16_t *half, uint16_t *low, const float *x, int64_t n);
void ISA_FN(round_half)(float *to, const float *from, int64_t n);

void ISA_FN(softmax_sums)(const float *logits, float by, int64_t n, float *max, float *sum, float *dot);
void ISA_FN(softmax_back)(float *logits, float by, int64_t n, int64_t target, float max, float sum, float dot, float dlogprob, float dentropy);
void ISA_FN(softmax_weights)(float *weight, const float *logits, float by, int64_t n, float *max, float *sum, double *block);
int64_t ISA_FN(argmax)(const float *x, int64_t n);

#endif
