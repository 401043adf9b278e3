/* Examples dealt to replicas, and gradients of one process that is all of them by turns */
#include "test.h"

#include "base/rng.h"
#include "model/replicas.h"

/* All examples in their order, none twice, and no part more than its share and one example */
static void deal(void)
{
	struct rng rng = rng_new(1, 2);
	int round;

	for (round = 0; round < 2000; round++) {
		const int64_t n = 1 + (int64_t)rng_below(&rng, 9), count = (int64_t)rng_below(&rng, 40);
		struct params p = {0};
		struct replicas *r = replicas_new(&p, n);
		int64_t tokens[40], all = 0, longest = 0, i, k;

		for (i = 0; i < count; i++) {
			tokens[i] = 1 + (int64_t)rng_below(&rng, round % 2 ? 3 : 1000);
			all += tokens[i];
			longest = tokens[i] > longest ? tokens[i] : longest;
		}
		replicas_deal(r, tokens, count);
		CHECK(r->n == n && r->from[0] == 0 && r->from[n] == count);
		for (k = 0; k < n; k++) {
			int64_t sum = 0;

			CHECK(r->from[k] <= r->from[k + 1]);
			for (i = r->from[k]; i < r->from[k + 1]; i++)
				sum += tokens[i];
			CHECK((double)sum <= (double)all / (double)n + (double)longest);
		}
		replicas_free(r);
	}
}

/* ((g_0 + g_1) + g_2): the order is seen in floats that do not add up alike in another */
static void turns(void)
{
	static const float g[3][4] = {{1e8f, 1, -0.0f, 3}, {1, 1e-9f, 0, 4}, {-1e8f, -1, 0, 5}};
	struct backend *be = backend_cpu_new(1);
	struct params p = {0};
	struct replicas *r;
	int64_t k, i;

	params_add(&p, "x", 0, (struct param_part[]){{"w", 4}}, 1);
	params_alloc_trained(&p, be, KEPT_F32);
	params_need_grad(&p);
	for (k = 1; k <= 3; k += 2) {
		r = replicas_new(&p, k);
		be->zero(be, p.grad, 4 * sizeof *p.grad);
		for (i = 0; i < k; i++) {
			int64_t j;

			CHECK(replicas_mine(i));
			for (j = 0; j < 4; j++)
				p.grad[j] += g[i][j];
			replicas_turn(r, i);
		}
		for (i = 0; i < 4; i++)
			CHECK(p.grad[i] == (k == 1 ? g[0][i] : (g[0][i] + g[1][i]) + g[2][i]));
		replicas_free(r);
	}
	params_free(&p);
	backend_close(be);
}

int main(void)
{
	deal();
	turns();
	return 0;
}
