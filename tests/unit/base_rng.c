/* Random numbers: Philox as published, draws that depend on their key alone, the right distributions; hashes fixed for ever */
#include "test.h"

#include "base/rng.h"

/* The three known answers that come with Random123. */
static void check_philox(void)
{
	static const struct {
		uint32_t counter[4], key[2], out[4];
	} known[] = {
		{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	uint32_t out[4];
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++) {
		rng_philox(known[i].counter, known[i].key, out);
		CHECK_MEM(out, sizeof out, known[i].out, sizeof known[i].out);
	}
}

static void check_streams(void)
{
	struct rng a = rng_new(1, 2), b = rng_new(1, 2), c = rng_new(1, 3), d;
	int i;

	for (i = 0; i < 10; i++)
		CHECK(rng_next(&a) == rng_next(&b));
	d = a;
	CHECK(rng_next(&d) == rng_next(&b));
	CHECK(rng_next(&c) != rng_bits(1, 2, 0, 0));
	CHECK(rng_bits(1, 2, 3, 4) == rng_bits(1, 2, 3, 4));
	CHECK(rng_bits(1, 2, 3, 4) != rng_bits(1, 2, 4, 3));
	CHECK(rng_bits(1, 2, 3, 4) != rng_bits(2, 1, 3, 4));
}

static void check_distributions(void)
{
	struct rng r = rng_new(11, 12);
	double sum = 0, squares = 0, u = 0, x;
	int n = 200000, i, count[7] = {0};

	for (i = 0; i < n; i++) {
		x = rng_normal(&r);
		sum += x;
		squares += x * x;
		x = rng_double(&r);
		CHECK(x >= 0 && x < 1);
		u += x;
		count[rng_below(&r, 7)]++;
	}
	/* five standard deviations of each mean */
	CHECK_NEAR(sum / n, 0, 5 / sqrt(n));
	CHECK_NEAR(squares / n, 1, 5 * sqrt(2.0 / n));
	CHECK_NEAR(u / n, 0.5, 5 * sqrt(1.0 / 12 / n));
	for (i = 0; i < 7; i++)
		CHECK_NEAR(count[i], n / 7.0, 5 * sqrt(n / 7.0));
	CHECK_INT(rng_below(&r, 1), 0);
}

/* Our own log, cos and sin against the C library's, and the sequence's moments. */
static void check_normals(void)
{
	double sum = 0, squares = 0, cubes = 0, z[2];
	struct rng r = rng_new(5, 6), copy;
	int n = 200000, i;

	for (i = 0; i < n / 2; i++) {
		uint32_t counter[4] = {8, 0, (uint32_t)i, 0}, key[2] = {7, 0}, out[4];
		double u, v, radius;

		copy = r;
		u = rng_double(&copy);
		v = rng_double(&copy);
		CHECK_NEAR(rng_normal(&r), sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v), 1e-13);
		rng_normal_pair(7, 8, (uint64_t)i, z);
		rng_philox(counter, key, out);
		u = (double)(((uint64_t)out[1] << 32 | out[0]) >> 11) * 0x1p-53;
		v = (double)(((uint64_t)out[3] << 32 | out[2]) >> 11) * 0x1p-53;
		radius = sqrt(-2 * log(1 - u));
		CHECK_NEAR(z[0], radius * cos(2 * M_PI * v), 1e-13);
		CHECK_NEAR(z[1], radius * sin(2 * M_PI * v), 1e-13);
		sum += z[0] + z[1];
		squares += z[0] * z[0] + z[1] * z[1];
		cubes += z[0] * z[0] * z[0] + z[1] * z[1] * z[1];
	}
	CHECK_NEAR(sum / n, 0, 5 / sqrt(n));
	CHECK_NEAR(squares / n, 1, 5 * sqrt(2.0 / n));
	CHECK_NEAR(cubes / n, 0, 5 * sqrt(15.0 / n));
}

static void check_shuffle(void)
{
	size_t index[100], seen[100] = {0}, i, moved = 0;
	struct rng r = rng_new(3, 4);

	for (i = 0; i < 100; i++)
		index[i] = i;
	rng_shuffle(&r, index, 100);
	for (i = 0; i < 100; i++) {
		CHECK(index[i] < 100 && !seen[index[i]]++);
		moved += index[i] != i;
	}
	CHECK(moved > 80);
	rng_shuffle(&r, index, 0);
}

int main(void)
{
	check_philox();
	check_streams();
	check_distributions();
	check_normals();
	check_shuffle();
	CHECK(hash_str("sum-1") == hash_bytes("sum-1", 5) && hash_str("sum-1") != hash_str("sum-2"));
	CHECK(hash_bytes("a\0b", 3) != hash_bytes("a\0c", 3));
	/* Splits and draws are keyed by it: another value would be another training. */
	CHECK(hash_str("sum-1") == 0x76a16982749e84f4u);
	return 0;
}
