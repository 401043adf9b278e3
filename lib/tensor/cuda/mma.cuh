/* mma.cuh - the tensor cores, by a warp: d += a b of 16 x 16 by 16 x 8 bfloat16, sums in float32
 *
 * Lane l has, two numbers to a register, the first in the lower half:
 *     a  rows l/4 and l/4 + 8: columns 2 (l%4) and the next, of both rows, then the same with columns + 8
 *     b  column l/4: rows 2 (l%4) and the next, then rows + 8
 *     d  row l/4: columns 2 (l%4) and the next; then row l/4 + 8
 * Matrices of 8 x 8 come from shared memory four at a time: lanes 8 i .. 8 i + 7 say where the rows of matrix i are (16 bytes, aligned); lane l gets
 * of each row l/4, columns 2 (l%4) and the next or, turned, column l/4, rows 2 (l%4) and the next. Rows that are 16 bytes longer than a multiple
 * of 128 bytes meet no bank twice.
 */
#ifndef TENSOR_CUDA_MMA_CUH
#define TENSOR_CUDA_MMA_CUH

#include "device.cuh"

#if defined R1_EMULATED
#include <emulated_mma.h>
#else
static __device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
static __device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const uint16_t *p)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
		     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"((uint32_t)__cvta_generic_to_shared(p)) : "memory");
}
static __device__ __forceinline__ void load_matrices_turned(uint32_t (&r)[4], const uint16_t *p)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
		     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"((uint32_t)__cvta_generic_to_shared(p)) : "memory");
}
/* 16 aligned bytes come to shared memory, or zeros (`from` is valid all the same), by the next copies_arrived of the same thread. */
static __device__ __forceinline__ void copy_async(uint16_t *to, const uint16_t *from, bool there)
{
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"((uint32_t)__cvta_generic_to_shared(to)), "l"(from), "r"(there ? 16 : 0) : "memory");
}
static __device__ __forceinline__ void copies_arrived()
{
	asm volatile("cp.async.wait_all;" ::: "memory");
}
#endif

/* An a, rounded, from two neighbouring d: what was made as 16 x 16 becomes what is multiplied by. */
static __device__ __forceinline__ void as_first(uint32_t (&a)[4], const float (&left)[4], const float (&right)[4])
{
	a[0] = to_bf16x2(left[0], left[1]);
	a[1] = to_bf16x2(left[2], left[3]);
	a[2] = to_bf16x2(right[0], right[1]);
	a[3] = to_bf16x2(right[2], right[3]);
}

/* Where this lane's rows are, of a matrix in shared memory with `stride` numbers in a row; p is the corner.
 * place_a: for an a of 16 rows and 16 columns, and, turned, for the two b of 16 rows (of k) and 2 x 8 columns (registers 0 1, then 2 3)
 * place_b: for the two b whose columns are 2 x 8 rows here, and whose rows are 16 columns */
static __device__ __forceinline__ const uint16_t *place_a(const uint16_t *p, int stride)
{
	const int lane = threadIdx.x % 32;

	return p + lane % 16 * stride + lane / 16 * 8;
}
static __device__ __forceinline__ const uint16_t *place_b(const uint16_t *p, int stride)
{
	const int lane = threadIdx.x % 32;

	return p + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8;
}

#endif
