/* Qwen2 and Qwen2.5, and what was distilled into them: biases on q, k and v. */
#include "model/dense.h"

static void declare(struct model *m)
{
	dense_declare(m, &(struct dense){.qkv_bias = true});
}

const struct family family_qwen2 = {"qwen2", declare, dense_layer};
