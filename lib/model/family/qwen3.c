/* Qwen3: queries and keys are normalised head by head; heads may be wider than hidden_size / heads. */
#include "model/dense.h"

static void declare(struct model *m)
{
	dense_declare(m, &(struct dense){.qkv_bias = m->config.attention_bias, .o_bias = m->config.attention_bias, .qk_norm = true});
}

const struct family family_qwen3 = {"qwen3", declare, dense_layer};
