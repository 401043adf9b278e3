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

/* The two of a pair */
__device__ __forceinline__ float first_of(uint32_t pair)
{
	return __uint_as_float(pair << 16);
}
__device__ __forceinline__ float second_of(uint32_t pair)
{
	return __uint_as_float(pair & 0xffff0000);
}

/* For kernels that may begin early (cuda_launch): the next one may, too; and now all before is done and can be seen. */
__device__ __forceinline__ void next_may_start()
{
#if defined __CUDA_ARCH__ && __CUDA_ARCH__ >= 900
	asm volatile("griddepcontrol.launch_dependents;");
#endif
}
__device__ __forceinline__ void wait_for_last()
{
#if defined __CUDA_ARCH__ && __CUDA_ARCH__ >= 900
	asm volatile("griddepcontrol.wait;" ::: "memory");
#elif defined R1_EMULATED
	emu_wait_for_last();
#endif
}

/* All of a kernel comes after the last one: but it is launched meanwhile, and so is the next. */
__device__ __forceinline__ void after_last()
{
	next_may_start();
	wait_for_last();
}

/* 16 bytes of global memory that nobody else reads soon, past the first-level cache; asked for where that is written: neither this nor wait_for_last is moved
 * over the other (so no .nc: that would be). */
__device__ __forceinline__ uint4 load_once(const uint4 *p)
{
#if defined __CUDA_ARCH__ && !defined R1_EMULATED
	uint4 v;

	asm volatile("ld.global.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
	return v;
#else
	return *p;
#endif
}

/* 128 bytes of global memory are brought to the second-level cache, the same one for all: they may still be written after this. */
__device__ __forceinline__ void prefetch(const void *p)
{
#if defined __CUDA_ARCH__ && !defined R1_EMULATED
	asm volatile("prefetch.global.L2 [%0];" : : "l"(p));
#else
	(void)p;
#endif
}

/* V numbers that are moved at once: 4 or, of bfloat16, 8 where addresses are multiples of their size, else 1 */
template <int V> struct vec {
	float x[V];
};
template <int V> __device__ __forceinline__ vec<V> load(const float *p);
template <int V> __device__ __forceinline__ vec<V> load(const uint16_t *p);
template <> __device__ __forceinline__ vec<1> load<1>(const float *p)
{
	return {{*p}};
}
template <> __device__ __forceinline__ vec<4> load<4>(const float *p)
{
	const float4 v = *(const float4 *)p;

	return {{v.x, v.y, v.z, v.w}};
}
template <> __device__ __forceinline__ vec<1> load<1>(const uint16_t *p)
{
	return {{from_bf16(*p)}};
}
template <> __device__ __forceinline__ vec<4> load<4>(const uint16_t *p)
{
	const uint2 v = *(const uint2 *)p;

	return {{first_of(v.x), second_of(v.x), first_of(v.y), second_of(v.y)}};
}
template <> __device__ __forceinline__ vec<8> load<8>(const uint16_t *p)
{
	const uint4 v = *(const uint4 *)p;

	return {{first_of(v.x), second_of(v.x), first_of(v.y), second_of(v.y), first_of(v.z), second_of(v.z), first_of(v.w), second_of(v.w)}};
}
__device__ __forceinline__ void store(float *p, const vec<1> &v)
{
	*p = v.x[0];
}
__device__ __forceinline__ void store(float *p, const vec<4> &v)
{
	*(float4 *)p = make_float4(v.x[0], v.x[1], v.x[2], v.x[3]);
}
__device__ __forceinline__ void store(uint16_t *p, const vec<1> &v)
{
	*p = to_bf16(v.x[0]);
}
__device__ __forceinline__ void store(uint16_t *p, const vec<4> &v)
{
	*(uint2 *)p = make_uint2(to_bf16x2(v.x[0], v.x[1]), to_bf16x2(v.x[2], v.x[3]));
}
__device__ __forceinline__ void store(uint16_t *p, const vec<8> &v)
{
	*(uint4 *)p = make_uint4(to_bf16x2(v.x[0], v.x[1]), to_bf16x2(v.x[2], v.x[3]), to_bf16x2(v.x[4], v.x[5]), to_bf16x2(v.x[6], v.x[7]));
}

/* Number `at` of an array of float32 or, if half, of bfloat16 */
__device__ __forceinline__ float number(const void *p, int32_t half, int64_t at)
{
	return half ? from_bf16(((const uint16_t *)p)[at]) : ((const float *)p)[at];
}
__device__ __forceinline__ void put_number(void *p, int32_t half, int64_t at, float x)
{
	if (half)
		((uint16_t *)p)[at] = to_bf16(x);
	else
		((float *)p)[at] = x;
}

/* 2^x, results below 2^-126 taken for 0 */
__device__ __forceinline__ float power2(float x)
{
#if defined __CUDA_ARCH__ && !defined R1_EMULATED
	float y;

	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
#else
	return exp2f(x);
#endif
}

/* The first and the second number of a pair (a, b), turned: the same bits wherever that is done */
__device__ __forceinline__ float turn_first(float a, float b, float cos, float sin)
{
	return fmaf(a, cos, -(b * sin));
}
__device__ __forceinline__ float turn_second(float a, float b, float cos, float sin)
{
	return fmaf(b, cos, a * sin);
}

__device__ __forceinline__ float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

#endif
