/* Llama 2 and 3, and what was distilled into them: no biases, unless attention_bias or mlp_bias asks for them. */
#include "model/dense.h"

static void declare(struct model *m)
{
	const struct config *c = &m->config;

	dense_declare(m, &(struct dense){.qkv_bias = c->attention_bias, .o_bias = c->attention_bias, .mlp_bias = c->mlp_bias});
}

const struct family family_llama = {"llama", declare, dense_layer};
