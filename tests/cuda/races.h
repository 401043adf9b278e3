/* races.h - two threads at one place of memory with nothing between them that orders them: what the emulated GPU's kernels are looked through for
 *
 * The kernels are compiled with -fsanitize=thread, which has every read and write call a function; here these functions are, not those of the
 * thread sanitizer. Threads of a block are ordered by __syncthreads, those of a warp by __syncwarp as well (not by shuffles, which order no memory),
 * blocks by a fence and an atomic operation. A kernel that may begin before the last one has ended writes nothing before it has waited, and reads
 * nothing that kernels that may still run have written. Nobody reads shared memory that the block has not written. And what a kernel uses is device memory,
 * or shared, or the thread's own: never the host's.
 */
#ifndef TESTS_CUDA_RACES_H
#define TESTS_CUDA_RACES_H

#include <cstddef>
#include <cstdint>

#if defined __SANITIZE_ADDRESS__
#define R1_RACES 0                      /* every access is somebody else's then */
#else
#define R1_RACES 1
#endif

/* Device memory comes from one range of addresses, beside which stands who used it last: `bytes` of whole pages that nobody had, not to be touched yet */
char *races_range(size_t bytes);
void races_forget(const void *p, size_t bytes);         /* given back */
void races_written(const void *p, size_t bytes, bool by_kernel);   /* between two kernels: by a product, which is one; by a copy, which ends before the next begins */

/* What is at its turn: a kernel, one of its blocks, one of its threads. early: it may have begun before the last one ended. */
void races_launch(const void *kernel, bool early);
void races_block(uint64_t block, const void *shared, size_t shared_bytes);
void races_thread(int thread, const void *stack, size_t stack_bytes);
void races_own(const void *p, size_t bytes);            /* of the emulator, but used by kernels */
void races_end_of_launch();
void races_synchronized();              /* the host has waited for all of them */

void races_barrier();                   /* all threads of the block came to it */
void races_warp(int first);             /* all lanes of the warp whose first thread that is came to a __syncwarp */

/* By the thread whose turn it is */
void races_begun();                     /* it has its arguments */
void races_ended();
void races_waited();                    /* for the kernels before */
void races_fence();
void races_writes(const void *p, size_t bytes);         /* what is no assignment here */
void races_atomic(const void *p, size_t bytes);

#endif
