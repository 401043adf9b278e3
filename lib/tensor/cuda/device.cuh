/* device.cuh - what kernels are made of: sums over warps and blocks, vectors, numbers of 16 bits */
#ifndef TENSOR_CUDA_DEVICE_CUH
#define TENSOR_CUDA_DEVICE_CUH

#include <cuda_runtime.h>
#include <stdint.h>

#define ALL_LANES 0xffffffffu

/* `type *name`: the block's dynamic shared memory, 16-byte aligned */
#if defined R1_EMULATED
#define DYNAMIC_SHARED(type, name) type *name = (type *)emu_shared()
#else
extern __shared__ uint4 dynamic_shared[];
#define DYNAMIC_SHARED(type, name) type *name = (type *)dynamic_shared
#endif

/* V floats that are moved at once: 4 where addresses are multiples of 16 bytes, else 1 */
template <int V> struct vec {
	float x[V];
};
template <int V> __device__ __forceinline__ vec<V> load(const float *p);
template <> __device__ __forceinline__ vec<1> load<1>(const float *p)
{
	return {{*p}};
}
template <> __device__ __forceinline__ vec<4> load<4>(const float *p)
{
	const float4 v = *(const float4 *)p;

	return {{v.x, v.y, v.z, v.w}};
}
__device__ __forceinline__ void store(float *p, const vec<1> &v)
{
	*p = v.x[0];
}
__device__ __forceinline__ void store(float *p, const vec<4> &v)
{
	*(float4 *)p = make_float4(v.x[0], v.x[1], v.x[2], v.x[3]);
}

/* Sums and the like over a warp, the result in all lanes */
__device__ __forceinline__ float warp_sum(float x)
{
	for (int by = 16; by; by /= 2)
		x += __shfl_xor_sync(ALL_LANES, x, by);
	return x;
}
__device__ __forceinline__ double warp_sum(double x)
{
	for (int by = 16; by; by /= 2)
		x += __shfl_xor_sync(ALL_LANES, x, by);
	return x;
}
__device__ __forceinline__ float warp_max(float x)
{
	for (int by = 16; by; by /= 2)
		x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, by));
	return x;
}

/* The sum over a block of whole warps, in all threads, in an order of its own but always the same; `room` holds 32 in shared memory and may be
 * used again after the next barrier. */
template <class T> __device__ __forceinline__ T block_sum(T x, T *room)
{
	const int warps = blockDim.x / 32;
	T sum = 0;

	x = warp_sum(x);
	__syncthreads();
	if (threadIdx.x % 32 == 0)
		room[threadIdx.x / 32] = x;
	__syncthreads();
	for (int i = 0; i < warps; i++)
		sum += room[i];
	return sum;
}
__device__ __forceinline__ float block_max(float x, float *room)
{
	const int warps = blockDim.x / 32;

	x = warp_max(x);
	__syncthreads();
	if (threadIdx.x % 32 == 0)
		room[threadIdx.x / 32] = x;
	__syncthreads();
	x = room[0];
	for (int i = 1; i < warps; i++)
		x = fmaxf(x, room[i]);
	return x;
}

/* A bfloat16 is the upper half of a float32; rounding is to nearest, ties to even, and a NaN stays one. */
__device__ __forceinline__ float from_bf16(uint16_t h)
{
	return __uint_as_float((uint32_t)h << 16);
}
__device__ __forceinline__ uint16_t to_bf16(float x)
{
	const uint32_t u = __float_as_uint(x);

	return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
}
/* Two of them, the first in the lower half */
__device__ __forceinline__ uint32_t to_bf16x2(float first, float second)
{
#if defined __CUDA_ARCH__ && !defined R1_EMULATED
	uint32_t u;

	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(second), "f"(first));
	return u;
#else
	return (uint32_t)to_bf16(second) << 16 | to_bf16(first);
#endif
}

/* V numbers as bfloat16; four of them where addresses are multiples of 8 bytes */
__device__ __forceinline__ void store_bf16(uint16_t *p, const vec<1> &v)
{
	*p = to_bf16(v.x[0]);
}
__device__ __forceinline__ void store_bf16(uint16_t *p, const vec<4> &v)
{
	*(uint2 *)p = make_uint2(to_bf16x2(v.x[0], v.x[1]), to_bf16x2(v.x[2], v.x[3]));
}

__device__ __forceinline__ float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

#endif
