/* cuda_runtime.h - a GPU that is not there: as much of CUDA as lib/tensor/cuda/ uses, on the CPU, for tests
 *
 *     g++ -x c++ -Itests/cuda -Ilib ... lib/tensor/cuda/rows.cu          // finds this file instead of the toolkit's
 *
 * Device memory is the host's. A kernel's blocks run one after the other (from the last to the first in every second launch), a block's
 * threads as fibers, which change at barriers and at the operations of a warp. Streams run when they are waited for, never before, so that
 * nobody reads what is not there yet; what is captured is kept and run again.
 *
 * What a GPU would punish, this ends the program for, with a line that says what: threads that do not all come to a barrier, a warp's
 * operation that lanes of its mask do not come to, accesses behind the dynamic shared memory or behind an allocation (a page that may not be
 * touched follows both; under the address sanitizer to the byte, else by canaries when the memory is given back), grids, blocks and
 * shared memory over the limits, copies that are not of device memory, kernels that may begin early behind a copy, races (races.h: not under the address sanitizer). Memory that was never written is NaN.
 *
 * R1_EMULATED is defined here: lib/tensor/cuda/device.cuh has the few things that cannot be said in both.
 */
#ifndef TESTS_CUDA_RUNTIME_H
#define TESTS_CUDA_RUNTIME_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#include "races.h"

#define R1_EMULATED 1
#define CUDART_VERSION 13000

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static
#define EMU_OWN __attribute__((section("emu_own")))     /* variables that kernels use and that are nobody's shared memory (races.cpp) */

/* ---- numbers ---- */

struct uint3 { unsigned x, y, z; };
struct dim3 {
	unsigned x, y, z;
	dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }

#define __expf(x) expf(x)
#define __logf(x) logf(x)
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __frcp_rn(float x) { return 1 / x; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __uint_as_float(unsigned u) { float x; memcpy(&x, &u, sizeof x); return x; }
static inline unsigned __float_as_uint(float x) { unsigned u; memcpy(&u, &x, sizeof u); return u; }
static inline int __float_as_int(float x) { int u; memcpy(&u, &x, sizeof u); return u; }
static inline float __int_as_float(int u) { float x; memcpy(&x, &u, sizeof x); return x; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
template <class T> static inline T __ldg(const T *p) { return *p; }
template <class T> static inline T __ldcs(const T *p) { return *p; }
template <class T> static inline T __ldcg(const T *p) { return *p; }
template <class T> static inline void __stcs(T *p, T x) { *p = x; }
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }
/* Threads change at barriers only, so this needs nothing else. There is none for floats: their order would not be the same every time. */
template <class T> __attribute__((no_sanitize("thread"))) static inline T atomicAdd(T *p, T x)
{
	static_assert(std::is_integral<T>::value, "sums of floats in no order");
	T was = *p;
	races_atomic(p, sizeof *p);
	*p = was + x;
	return was;
}
static inline void __threadfence() { races_fence(); }
static inline void emu_wait_for_last() { races_waited(); }      /* griddepcontrol.wait */

/* ---- threads ---- */

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static const int warpSize = 32;

/* What a warp's lanes gave, where every lane of the mask gave `bytes` (at most 64): [32][64] */
struct emu_lanes { alignas(16) unsigned char lane[32][64]; };
const emu_lanes *emu_exchange(unsigned mask, const void *mine, size_t bytes, const char *what);
int emu_lane();
struct emu_copy { void *to; const void *from; };        /* from NULL: of zeros */
void emu_copy_later(void *to, const void *from);
bool emu_next_copy(emu_copy *c);        /* of those of this thread, which then is none any more */
void *emu_shared();                     /* the block's dynamic shared memory */
size_t emu_shared_bytes();

void __syncthreads();
int __syncthreads_or(int x);
int __syncthreads_and(int x);
int __syncthreads_count(int x);
static inline void __syncwarp(unsigned mask = ~0u) { char c = 0; emu_exchange(mask, &c, 1, "__syncwarp"); }
static inline unsigned __activemask() { return ~0u; }

template <class T> static inline T emu_from(const emu_lanes *l, int lane) { T x; memcpy(&x, l->lane[lane], sizeof x); return x; }
template <class T> static inline T __shfl_sync(unsigned mask, T x, int lane, int width = 32)
{
	const int me = emu_lane(), from = (me & ~(width - 1)) | (lane & (width - 1));
	return emu_from<T>(emu_exchange(mask, &x, sizeof x, "__shfl_sync"), from);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T x, int by, int width = 32)
{
	const int me = emu_lane(), from = me ^ by;
	const emu_lanes *l = emu_exchange(mask, &x, sizeof x, "__shfl_xor_sync");
	return (from & ~(width - 1)) > me ? x : emu_from<T>(l, from);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T x, unsigned by, int width = 32)
{
	const int me = emu_lane();
	const emu_lanes *l = emu_exchange(mask, &x, sizeof x, "__shfl_down_sync");
	return (me & (width - 1)) + (int)by >= width ? x : emu_from<T>(l, me + (int)by);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T x, unsigned by, int width = 32)
{
	const int me = emu_lane();
	const emu_lanes *l = emu_exchange(mask, &x, sizeof x, "__shfl_up_sync");
	return (me & (width - 1)) < (int)by ? x : emu_from<T>(l, me - (int)by);
}
static inline unsigned __ballot_sync(unsigned mask, int x)
{
	const emu_lanes *l = emu_exchange(mask, &x, sizeof x, "__ballot_sync");
	unsigned all = 0;
	for (int i = 0; i < 32; i++)
		if (mask >> i & 1 && emu_from<int>(l, i))
			all |= 1u << i;
	return all;
}
static inline int __any_sync(unsigned mask, int x) { return __ballot_sync(mask, x) != 0; }
static inline int __all_sync(unsigned mask, int x) { return __ballot_sync(mask, x) == mask; }

/* ---- the runtime's functions ---- */

enum cudaError_t {
	cudaSuccess, cudaErrorInvalidValue, cudaErrorMemoryAllocation, cudaErrorInvalidConfiguration = 9, cudaErrorInsufficientDriver = 35,
	cudaErrorNoDevice = 100, cudaErrorNotReady = 600
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout };
enum cudaSharedCarveout { cudaSharedmemCarveoutMaxShared = 100 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
#define cudaStreamNonBlocking 1
#define cudaHostAllocDefault 0
#define cudaEventDisableTiming 2
typedef struct emu_stream *cudaStream_t;
typedef struct emu_graph *cudaGraph_t;
typedef struct emu_graph *cudaGraphExec_t;
typedef struct emu_event *cudaEvent_t;
struct cudaDeviceProp {
	char name[256];
	int major, minor, multiProcessorCount;
	size_t totalGlobalMem, sharedMemPerBlockOptin;
};

/* Work of a stream: run when somebody waits, or kept by the graph that is being captured */
cudaError_t emu_submit(cudaStream_t s, std::function<void()> work);
cudaError_t emu_launch(const void *kernel, const std::function<void()> &thread, dim3 grid, dim3 block, size_t shared, size_t arguments, bool early,
		       cudaStream_t s);
void emu_device_range(const void *p, size_t bytes, const char *what);   /* dies where that is not in one allocation */

/* A thread: its arguments are its own from here on. */
template <class A> static void emu_thread(void (*kernel)(A), const A &a)
{
	const A own = a;

	races_begun();
	kernel(own);
}

/* static: structs of the same name in several files are not the same */
template <class A> static cudaError_t cudaLaunchKernel(void (*kernel)(A), dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t s)
{
	const A a = *(const A *)args[0];
	return emu_launch((const void *)kernel, [kernel, a] { emu_thread(kernel, a); }, grid, block, shared, sizeof a, false, s);
}

enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
struct cudaLaunchAttribute {
	cudaLaunchAttributeID id;
	union { int programmaticStreamSerializationAllowed; } val;
};
struct cudaLaunchConfig_t {
	dim3 gridDim, blockDim;
	size_t dynamicSmemBytes;
	cudaStream_t stream;
	cudaLaunchAttribute *attrs;
	unsigned numAttrs;
};
/* What may begin early begins in its turn here, and is looked at all the more closely (races.h). */
template <class A> static cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *how, void (*kernel)(A), const A &a)
{
	const bool early = how->numAttrs && how->attrs[0].val.programmaticStreamSerializationAllowed;

	return emu_launch((const void *)kernel, [kernel, a] { emu_thread(kernel, a); }, how->gridDim, how->blockDim, how->dynamicSmemBytes, sizeof a, early, how->stream);
}

cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int device);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaMallocManaged(void **p, size_t bytes, unsigned flags = 1);
cudaError_t cudaFree(void *p);
cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s);
cudaError_t cudaGraphDestroy(cudaGraph_t g);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t emu_set_attribute(const void *kernel, cudaFuncAttribute attr, int value);
template <class F> cudaError_t cudaFuncSetAttribute(F *kernel, cudaFuncAttribute attr, int value) { return emu_set_attribute((const void *)kernel, attr, value); }
struct cudaFuncAttributes { int ptxVersion, binaryVersion; };
template <class F> static cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *a, F *)
{
	a->ptxVersion = a->binaryVersion = 90;
	return cudaSuccess;
}
cudaError_t cudaFuncGetName(const char **name, const void *kernel);
cudaError_t cudaGetLastError();
cudaError_t cudaDriverGetVersion(int *version);
const char *cudaGetErrorString(cudaError_t e);

#endif
