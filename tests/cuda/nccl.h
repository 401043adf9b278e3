/* nccl.h - the part of NCCL that r1 uses, between processes that each have an emulated GPU (nccl.cpp) */
#ifndef EMULATED_NCCL_H
#define EMULATED_NCCL_H

#include "cuda_runtime.h"

typedef enum { ncclSuccess = 0, ncclSystemError = 2, ncclInvalidUsage = 5 } ncclResult_t;
typedef enum { ncclInt8 = 0 } ncclDataType_t;
typedef struct { char internal[128]; } ncclUniqueId;
typedef struct ncclComm *ncclComm_t;

#define EMULATED __attribute__((visibility("default")))
extern "C" {
EMULATED ncclResult_t ncclGetUniqueId(ncclUniqueId *id);
EMULATED ncclResult_t ncclCommInitRank(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank);
EMULATED ncclResult_t ncclCommAbort(ncclComm_t comm);
EMULATED ncclResult_t ncclSend(const void *p, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t s);
EMULATED ncclResult_t ncclRecv(void *p, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t s);
EMULATED ncclResult_t ncclGroupStart(void);
EMULATED ncclResult_t ncclGroupEnd(void);
EMULATED const char *ncclGetErrorString(ncclResult_t r);
}

#endif
