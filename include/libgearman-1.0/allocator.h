/* Functions of the program that allocate memory. `context` is what was given with them. */

#pragma once

#include <stddef.h>

typedef void *(gearman_malloc_fn)(size_t size, void *context);
typedef void *(gearman_realloc_fn)(void *ptr, size_t size, void *context);
typedef void *(gearman_calloc_fn)(size_t nelem, size_t elsize, void *context);
typedef void(gearman_free_fn)(void *ptr, void *context);

/* No function takes or gives one. */
typedef struct gearman_allocator_t {
  gearman_calloc_fn *calloc;
  gearman_free_fn *free;
  gearman_malloc_fn *malloc;
  gearman_realloc_fn *realloc;
  void *context;
} gearman_allocator_t;
