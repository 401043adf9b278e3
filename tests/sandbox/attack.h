#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct attack {
	const char *name;
	void (*run)(void);
};
extern const struct attack attacks2[];

/* What the attempt was answered */
static inline void say(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "ok");
}

#endif
