/* emulated_mma.h - lib/tensor/cuda/mma.cuh's instructions of a warp, for the GPU that is not there */
#ifndef TESTS_CUDA_EMULATED_MMA_H
#define TESTS_CUDA_EMULATED_MMA_H

#include <cstdio>
#include <cstdlib>

#include "cuda_runtime.h"

static inline float emu_bf16(unsigned pair, int which)
{
	return __uint_as_float(which ? pair & 0xffff0000u : pair << 16);
}

static inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
	struct { uint32_t a[4], b[2]; } mine = {{a[0], a[1], a[2], a[3]}, {b0, b1}}, row, col;
	const emu_lanes *l = emu_exchange(~0u, &mine, sizeof mine, "mma");
	const int lane = emu_lane();

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 16; k++) {
			memcpy(&row, l->lane[lane / 4 * 4 + k % 8 / 2], sizeof row);
			memcpy(&col, l->lane[(lane % 4 * 2 + i % 2) * 4 + k % 8 / 2], sizeof col);
			d[i] += emu_bf16(row.a[i / 2 + k / 8 * 2], k % 2) * emu_bf16(col.b[k / 8], k % 2);
		}
}

static inline void emu_in_shared(const void *p, const char *what)
{
	if ((uintptr_t)p % 16 || (const char *)p < (const char *)emu_shared() || (const char *)p + 16 > (const char *)emu_shared() + emu_shared_bytes()) {
		fprintf(stderr, "emulated GPU: %s is not 16 aligned bytes of shared memory\n", what);
		abort();
	}
}

static inline void copy_async(uint16_t *to, const uint16_t *from, bool there)
{
	emu_in_shared(to, "where an asynchronous copy goes to");
	if ((uintptr_t)from % 16) {
		fprintf(stderr, "emulated GPU: an asynchronous copy is not of 16 aligned bytes\n");
		abort();
	}
	races_writes(to, 16);                     /* from now on, until it has arrived */
	emu_copy_later(to, there ? from : NULL);
}

static inline void copies_arrived()
{
	emu_copy c;

	while (emu_next_copy(&c))
		*(uint4 *)c.to = c.from ? *(const uint4 *)c.from : make_uint4(0, 0, 0, 0);
}

static inline const uint16_t *emu_matrix_row(const emu_lanes *l, int lane)
{
	const uint16_t *p;

	memcpy(&p, l->lane[lane], sizeof p);
	emu_in_shared(p, "a matrix's row");
	return p;
}

static inline void load_matrices(uint32_t (&r)[4], const uint16_t *p)
{
	const emu_lanes *l = emu_exchange(~0u, &p, sizeof p, "ldmatrix");

	for (int i = 0; i < 4; i++)
		memcpy(&r[i], emu_matrix_row(l, 8 * i + emu_lane() / 4) + emu_lane() % 4 * 2, sizeof r[i]);
}

static inline void load_matrices_turned(uint32_t (&r)[4], const uint16_t *p)
{
	const emu_lanes *l = emu_exchange(~0u, &p, sizeof p, "ldmatrix.trans");

	for (int i = 0; i < 4; i++) {
		const int row = 8 * i + emu_lane() % 4 * 2, col = emu_lane() / 4;

		r[i] = emu_matrix_row(l, row)[col] | (uint32_t)emu_matrix_row(l, row + 1)[col] << 16;
	}
}

#endif
