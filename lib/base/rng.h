/* rng.h - random numbers that depend on nothing but their key
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a draw is a pure function of
 * (seed, stream, a, b), so that results do not depend on threads, batch size, the order of lines or hosts.
 *
 *     double u = rng_uniform(seed, hash_str(id), sample, position);      // [0, 1)
 *
 *     struct rng r = rng_new(seed, hash_str("weights"));                 // where a sequence of draws is wanted
 *     double z = rng_normal(&r);
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

uint64_t rng_bits(uint64_t seed, uint64_t stream, uint32_t a, uint32_t b);      /* 64 bits for that key */
double rng_uniform(uint64_t seed, uint64_t stream, uint32_t a, uint32_t b);     /* 53 bits of [0, 1) */

/* Numbers 2n and 2n+1 of a sequence of normal numbers, by one draw of 128 bits: for large matrices. */
void rng_normal_pair(uint64_t seed, uint64_t stream, uint64_t n, double z[2]);

struct rng {
	uint64_t seed, stream, count;   /* draw number `count` comes next: all the state there is */
};
struct rng rng_new(uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *r);
double rng_double(struct rng *r);               /* [0, 1) */
uint64_t rng_below(struct rng *r, uint64_t n);  /* 0 .. n-1, without bias; n > 0 */
double rng_normal(struct rng *r);               /* mean 0, variance 1 (Box-Muller, one of the pair); same bits on every machine */
void rng_shuffle(struct rng *r, size_t *index, size_t n);       /* Fisher-Yates */

/* 64-bit hashes (FNV-1a, then mixed): the same on every machine and for ever, for they key the draws and the splits. */
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_str(const char *s);
uint64_t hash_mix(uint64_t a, uint64_t b);

#endif
