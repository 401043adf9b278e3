/* policy.h - which system calls a jailed program may make
 *
 *     struct jail_policy p = {0};
 *     if (policy_compile(&p, &e) < 0) ...             // fills p.filter and p.n
 *     free(p.filter);
 */
#ifndef SANDBOX_POLICY_H
#define SANDBOX_POLICY_H

#include "base/err.h"
#include "jail.h"

int policy_compile(struct jail_policy *p, struct err *e);

#endif
