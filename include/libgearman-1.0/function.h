/* Functions of a worker. */

#pragma once

#include <libgearman-1.0/aggregator.h>
#include <libgearman-1.0/interface/job.h>
#include <libgearman-1.0/return.h>
#include <stddef.h>

typedef enum gearman_function_kind_t {
  GEARMAN_WORKER_FUNCTION_NULL = 0,
  GEARMAN_WORKER_FUNCTION_V1 = 1,
  GEARMAN_WORKER_FUNCTION_V2 = 2,
  GEARMAN_WORKER_FUNCTION_PARTITION = 3
} gearman_function_kind_t;

/* The first version: gives its result back as memory that the library frees. */
typedef void *(gearman_worker_fn)(gearman_job_st *job, void *context, size_t *result_size,
                                  gearman_return_t *ret_ptr);
/* The second version: sends its results itself. */
typedef gearman_return_t(gearman_function_fn)(gearman_job_st *job, void *worker_context);

/* To be made with gearman_function_create() and its kin. */
typedef struct gearman_function_t {
  const gearman_function_kind_t kind;
  union {
    char bytes[16];
    struct {
      gearman_worker_fn *func;
    } function_v1;
    struct {
      gearman_function_fn *func;
    } function_v2;
    struct {
      gearman_function_fn *func;
      gearman_aggregator_fn *aggregator;
    } partitioner;
  } callback;
} gearman_function_t;
