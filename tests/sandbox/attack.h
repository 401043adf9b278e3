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

/* Attempts that came to what they were after, and those that did not. An attack ends with status 0 if one did, and with 1 if none. */
extern int attempts[2];

static inline void count(int got)
{
	attempts[!got]++;
}

/* What the attempt was answered */
static inline void say(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "ok");
	count(rc >= 0);
}

/* Likewise, of what a program may do */
static inline void prepare(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "ok");
}

#endif
