/* Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation", eq. 16, with a reward at the end alone:
 *     delta_t = r_t + gamma V_t+1 - V_t        V behind the last token is 0
 *     A_t = delta_t + gamma lambda A_t+1
 *     R_t = A_t + V_t                          what a critic is to learn
 */
#include "task/advantage.h"

static void tokens(const struct advantage_args *a, const struct advantage_tokens *x)
{
	double next = 0, after = 0;
	size_t i;

	for (i = x->n; i-- > 0;) {
		const double delta = (i + 1 == x->n ? x->reward : 0) + a->gamma * after - x->value[i];

		next = delta + a->gamma * a->lambda * next;
		after = x->value[i];
		x->advantage[i] = (float)next;
		x->returns[i] = (float)(next + after);
	}
}

const struct advantage advantage_gae = {"gae", "token by token, from a critic's `values` (PPO)", true, .tokens = tokens, .epsilon = true};
