/* human.h - numbers as people read them
 *
 *     printf("%s parameters, %s\n", HUMAN_COUNT(n), HUMAN_SIZE(bytes));       // "5,776 parameters, 22.6 KiB"
 *
 * The macros' text lives as long as the block that they stand in.
 */
#ifndef BASE_HUMAN_H
#define BASE_HUMAN_H

#include <stdint.h>

const char *human_size(char to[32], double bytes);      /* in powers of 1024, one digit behind the point; returns `to` */
const char *human_count(char to[32], int64_t n);        /* with commas; returns `to` */

#define HUMAN_SIZE(bytes) human_size((char[32]){0}, (double)(bytes))
#define HUMAN_COUNT(n) human_count((char[32]){0}, n)

#endif
