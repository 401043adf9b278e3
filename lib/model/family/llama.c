/* Llama 2 and 3, and what was distilled into them: no biases, unless attention_bias asks for them. */
#include "model/dense.h"

static void declare(struct model *m)
{
	dense_declare(m, &(struct dense){.qkv_bias = m->config.attention_bias, .o_bias = m->config.attention_bias});
}

const struct family family_llama = {"llama", declare, dense_forward};
