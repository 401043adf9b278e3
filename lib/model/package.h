/* package.h - a checkpoint's folder as one file, and back
 *
 *     package_pack("run/policy", "policy.tar.zst", 0, false, &e);
 *     package_unpack("policy.tar.zst", "policy", &e);
 *
 * What cannot be read as a checkpoint is neither packed nor unpacked. Both appear whole or not at all.
 */
#ifndef MODEL_PACKAGE_H
#define MODEL_PACKAGE_H

#include <stdbool.h>

#include "base/err.h"

/* level 0: the format's usual one. optimizer: with what only training needs. */
int package_pack(const char *folder, const char *archive, int level, bool optimizer, struct err *e);
/* The archive may hold the checkpoint's folder instead of what is in it. Replaces a checkpoint that is there. */
int package_unpack(const char *archive, const char *folder, struct err *e);

#endif
