/* dense.h - what the dense families have in common: a pre-norm transformer with grouped-query attention, rotary positions and SwiGLU
 *
 *     static void declare(struct model *m) { dense_declare(m, &(struct dense){.qkv_bias = true}); }
 *     const struct family family_qwen2 = {"qwen2", declare, dense_layer};
 *
 *     a layer:  x = x + O attention(rope(norm_q(Q n(x))), rope(norm_k(K n(x))), V n(x));  x = x + D (silu(G n(x)) * U n(x))
 */
#ifndef MODEL_DENSE_H
#define MODEL_DENSE_H

#include "model/model.h"

struct dense {
	bool qkv_bias, o_bias;          /* biases of attention */
	bool mlp_bias;                  /* biases of gate, up and down */
	bool qk_norm;                   /* each head's query and key is normalised before it is rotated */
};

void dense_declare(struct model *m, const struct dense *d);
struct tensor *dense_layer(struct model *m, struct tape *t, int64_t index, struct tensor *x, const int32_t *position, const struct sequences *s);

#endif
