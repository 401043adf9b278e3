/* library.h - where a library is that a program loads while it runs
 *
 *     char *path = library_path("r1-cuda.so", "R1_CUDA");     // the one that R1_CUDA names, or that was built or installed with this program
 *     void *lib = dlopen(path, RTLD_NOW);
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

/* What the environment variable says; else the file beside the program, or in ../lib/r1; else where it would be built. Freed by the caller,
 * NULL: not known. */
char *library_path(const char *file, const char *variable);

#endif
