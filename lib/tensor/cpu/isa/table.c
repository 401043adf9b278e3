/* table.c - one instruction set's table of kernels */
#include "isa.h"

#define ENTRY(name) .name = ISA_FN(name)

const struct kernels ISA_FN(kernels) = {
	.name = ISA_NAME,
	ENTRY(mm), ENTRY(mm_trans), ENTRY(mm_rows), ENTRY(mm_half), ENTRY(mm_pairs),
#if defined ISA_avx512
	ENTRY(mm_dot),
#endif
	ENTRY(widen), ENTRY(narrow), ENTRY(widen_panel), ENTRY(narrow_panel), ENTRY(widen_transpose),
	ENTRY(transpose), ENTRY(column_blocks),
	ENTRY(attend_scratch), ENTRY(attend), ENTRY(attend_back_scratch), ENTRY(attend_back),
	ENTRY(attend_latent_scratch), ENTRY(attend_latent), ENTRY(attend_latent_back),
	ENTRY(rmsnorm), ENTRY(rmsnorm_back), ENTRY(rope), ENTRY(swiglu), ENTRY(swiglu_back), ENTRY(sigmoid), ENTRY(combine), ENTRY(weigh_back),
	ENTRY(add), ENTRY(scale),
	ENTRY(column_sums), ENTRY(add_rows), ENTRY(adamw), ENTRY(sum_squares), ENTRY(adamw_mixed), ENTRY(split), ENTRY(round_half),
	ENTRY(softmax_sums), ENTRY(softmax_back), ENTRY(softmax_weights), ENTRY(argmax),
};
